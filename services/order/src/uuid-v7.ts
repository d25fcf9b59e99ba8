import { randomBytes } from "node:crypto";

/**
 * A UUID that begins with the time (RFC 9562, version 7), so that new rows go to the end of an index and not all over it.
 * `crypto.randomUUIDv7` came only with a later Node.js than the oldest that the lab runs on.
 *
 * @param nowMs milliseconds since 1970
 */
export function uuidV7(nowMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const digits = bytes.toString("hex");
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20),
  ].join("-");
}
