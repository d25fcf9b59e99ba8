import { randomUUID } from "node:crypto";

/**
 * A UUID that begins with the time (RFC 9562, version 7), so that new rows go to the end of an index and not all over it.
 * `crypto.randomUUIDv7` came only with a later Node.js than the oldest that the lab runs on.
 *
 * @param nowMs milliseconds since 1970
 */
export function uuidV7(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, "0");
  // The rest of a random one, which has its variant in the right place, after the time and another version.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
