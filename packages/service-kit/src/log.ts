import { type Logger, pino } from "pino";
import type { CommonEnvironment } from "./environment.ts";

export type { Logger };

/** One JSON object a line on standard output, with the service, the environment and the instance in each. */
export function createLogger(environment: CommonEnvironment): Logger {
  return pino({
    level: environment.LOG_LEVEL,
    base: {
      service: environment.SERVICE_NAME,
      env: environment.ENVIRONMENT,
      instance: environment.INSTANCE_ID,
    },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
