import { createLogger, type Logger } from "../../packages/service-kit/src/index.ts";

/** A log for tests in which errors are expected: nobody reads it. */
export const quietLog: Logger = createLogger(
  { SERVICE_NAME: "test", ENVIRONMENT: "test", INSTANCE_ID: "test", LOG_LEVEL: "info" },
  { write: () => {} },
);
