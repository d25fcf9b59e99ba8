import { createLogger, type Logger } from "@lab/service-kit";

type Environment = Parameters<typeof createLogger>[0];

/** Lines are written together: one at a time would cost a system call for each request. */
const bufferedLength = 65_536;
const bufferedMs = 100;

/** Where the line of each request goes; it may be written up to 100 ms later. */
export interface AccessLog {
  log: Logger;
  /** Writes what is still to be written. */
  close(): void;
}

/** A log like the service's own, on standard output too, but written in larger pieces. */
export function openAccessLog(environment: Environment): AccessLog {
  const lines = new LineBuffer(process.stdout);
  return { log: createLogger(environment, lines), close: () => lines.flush() };
}

/**
 * Keeps lines apart until they are written. pino's own destination joins each to those before it, which costs more than all else that it
 * does once there are many.
 */
class LineBuffer {
  readonly #target: NodeJS.WritableStream;
  #lines: string[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(target: NodeJS.WritableStream) {
    this.#target = target;
  }

  write(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= bufferedLength) {
      this.flush();
    } else {
      this.#timer ??= setTimeout(() => this.flush(), bufferedMs);
    }
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length > 0) {
      this.#target.write(this.#lines.join(""));
      this.#lines = [];
      this.#length = 0;
    }
  }
}
