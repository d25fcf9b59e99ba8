import fc from "fast-check";
import { expect, test } from "vitest";
import { uuidV7 } from "./uuid-v7.ts";

const timesMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });

test("says its version, variant and time (RFC 9562, 5.7)", () => {
  fc.assert(
    fc.property(timesMs, (nowMs) => {
      const uuid = uuidV7(nowMs);
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(uuid.replaceAll("-", "").slice(0, 12), 16)).toBe(nowMs);
    }),
  );
});

test("is another one each time, and a later one comes after an earlier one", () => {
  expect(uuidV7(1)).not.toBe(uuidV7(1));
  fc.assert(
    fc.property(timesMs, timesMs, (one, other) => {
      fc.pre(one !== other);
      expect(uuidV7(one) < uuidV7(other)).toBe(one < other);
    }),
  );
});
