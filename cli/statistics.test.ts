import fc from "fast-check";
import { expect, test } from "vitest";
import { median, percentile } from "./statistics.ts";

test.each([
  [[3], 3, 3],
  [[1, 2], 1.5, 2],
  [[5, 1, 3], 3, 5],
  [[4, 1, 3, 2], 2.5, 4],
])("of %j the median is %d, and the 99th percentile %d", (sample, middle, high) => {
  expect([median(sample), percentile(sample, 0.99)]).toEqual([middle, high]);
});

test("so much of a sample is not above its percentile, and less is below it", () => {
  const shares = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), shares, (sample, share) => {
      const value = percentile(sample, share);
      expect(sample.filter((one) => one <= value).length / sample.length).toBeGreaterThanOrEqual(share);
      expect(sample.filter((one) => one < value).length / sample.length).toBeLessThan(share);
    }),
  );
});

test("an empty sample has none", () => {
  expect(() => percentile([], 0.5)).toThrow(RangeError);
  expect(() => median([])).toThrow(RangeError);
});
