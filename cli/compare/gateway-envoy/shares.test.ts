import { expect, test } from "vitest";
import { courseOf, failedShare, holds } from "./shares.ts";

const sample = (atMs: number, isFailed = false) => ({ atMs, endMs: atMs + 5, isFailed });

test("requests are counted by the second in which they were sent, and by what had happened", () => {
  const samples = [
    sample(0),
    sample(990),
    sample(1000, true),
    sample(1499),
    sample(2400, true),
    sample(2500),
  ];
  expect(courseOf(samples, 1500, 3)).toEqual({
    seconds: [
      { requests: 2, failed: 0 },
      { requests: 2, failed: 1 },
      { requests: 2, failed: 1 },
    ],
    before: { requests: 3, failed: 1 },
    firstSecond: { requests: 2, failed: 1 },
    after: { requests: 1, failed: 0 },
  });
});

test("one of a hundred is too many, a moment after the kill isn't counted, and no request proves nothing", () => {
  const later = (failed: number) => Array.from({ length: 100 }, (_, index) => sample(2000, index < failed));
  expect(holds(courseOf([sample(500, true), ...later(0)], 0, 3))).toBe(true);
  expect(holds(courseOf(later(1), 0, 3))).toBe(false);
  expect(holds(courseOf([sample(500)], 0, 3))).toBe(false);
  expect(failedShare({ requests: 0, failed: 0 })).toBe(0);
});
