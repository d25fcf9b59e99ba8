import {
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from "mongodb";

/** AuthenticationFailed, ShutdownInProgress, InterruptedAtShutdown: its users are not made yet, or it is about to end. */
const codes: unknown[] = [18, 91, 11_600];

/** Whether an error means that MongoDB can't be reached, so that the same may go well a moment later. */
export function isMongodbAway(error: unknown): boolean {
  return (
    error instanceof MongoServerSelectionError ||
    error instanceof MongoNetworkError ||
    // A first connection that failed ends those that were being made at the same time.
    error instanceof MongoTopologyClosedError ||
    (error instanceof MongoError && error.name === "MongoWaitQueueTimeoutError") ||
    (error instanceof MongoServerError && codes.includes(error.code))
  );
}
