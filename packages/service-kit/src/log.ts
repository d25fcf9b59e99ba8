import { type DestinationStream, type Logger, type LoggerOptions, pino } from "pino";
import type { CommonEnvironment } from "./environment.ts";

export type { Logger };

/** One JSON object a line on standard output, with the service, the environment and the instance in each. */
export function createLogger(environment: CommonEnvironment, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level: environment.LOG_LEVEL,
    base: {
      service: environment.SERVICE_NAME,
      env: environment.ENVIRONMENT,
      instance: environment.INSTANCE_ID,
    },
    // Drivers put into their errors what has failed: ioredis the command, which may be AUTH with its password, and mysql2 the
    // statement with its values.
    redact: { paths: ["err.command", "err.sql"], remove: true },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options);
}
