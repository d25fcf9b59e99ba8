import { createLogger } from "@lab/service-kit";

/** A log for what a test does itself: nobody reads it. */
export const silentLog = createLogger(
  { SERVICE_NAME: "test", ENVIRONMENT: "test", INSTANCE_ID: "test", LOG_LEVEL: "error" },
  { write: () => {} },
);
