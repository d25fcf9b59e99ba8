import fc from "fast-check";
import { expect, test } from "vitest";
import { acceptance } from "./slow-start.ts";

test("the share grows from a tenth to all", () => {
  expect(acceptance(1000, 1000, 5000)).toBeCloseTo(0.1);
  expect(acceptance(1000, 3500, 5000)).toBeCloseTo(0.55);
  expect(acceptance(1000, 6000, 5000)).toBe(1);
  fc.assert(
    fc.property(
      fc.nat(10_000),
      fc.nat(10_000),
      fc.integer({ min: 1, max: 5000 }),
      (one, other, slowStartMs) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)];
        expect(acceptance(0, early, slowStartMs)).toBeLessThanOrEqual(acceptance(0, late, slowStartMs));
      },
    ),
  );
});
