import { type Redis, ReplyError } from "ioredis";

/** Redis is there and can't serve yet, or not for now: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const notNow = /^(LOADING|BUSY|MASTERDOWN|MISCONF|WRONGPASS|NOAUTH) /;

/** Whether an error means that Redis can't be reached, so that the same may go well a moment later. */
export function isRedisAway(redis: Redis, error: unknown): boolean {
  const { message } = error as Error;
  if (error instanceof ReplyError) {
    return notNow.test(message);
  }
  return redis.status !== "ready" || message === "Command timed out" || message === "Connection is closed.";
}
