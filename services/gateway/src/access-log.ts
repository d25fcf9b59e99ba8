import { createLogger, type Logger } from "@lab/service-kit";
import { pino } from "pino";

type Environment = Parameters<typeof createLogger>[0];

/** Lines are written together: one at a time would cost a system call for each request. */
const bufferBytes = 65_536;
const flushMs = 100;

/** Where the line of each request goes; it may be written up to 100 ms later. */
export interface AccessLog {
  log: Logger;
  /** Writes what is still to be written. */
  close(): void;
}

/** A log like the service's own, on standard output too, but written in larger pieces. */
export function openAccessLog(environment: Environment): AccessLog {
  const destination = pino.destination({
    fd: 1,
    sync: false,
    minLength: bufferBytes,
    // It wants to be able to write more at a time than it waits for.
    maxWrite: 2 * bufferBytes,
    periodicFlush: flushMs,
  });
  return { log: createLogger(environment, destination), close: () => destination.flushSync() };
}
