import { expect, test } from "vitest";
import type { Result } from "./question.ts";
import { compare, inMs, short } from "./words.ts";

function result(name: string, medianMs: number, quartilesMs: [number, number]): Result {
  return { store: "mysql", name, statement: "", plan: [], requests: 1, medianMs, quartilesMs, runs: 7 };
}

test("the slower one is named, whichever comes first", () => {
  const quick = result("Redis", 0.5, [0.4, 0.6]);
  const slow = result("MariaDB", 6, [5, 7]);
  expect(compare(quick, slow)).toBe("MariaDB took 12 times as long as Redis (6.00 ms against 0.50 ms)");
  expect(compare(slow, quick)).toBe(compare(quick, slow));
});

test("runs that overlap are no difference", () => {
  expect(compare(result("A", 1, [0.8, 1.2]), result("B", 1.3, [1.1, 1.5]))).toBe(
    "A and B took about as long (1.00 ms and 1.30 ms)",
  );
});

test("times have the digits that say something", () => {
  expect([0.123, 12.34, 123.4].map(inMs)).toEqual(["0.12 ms", "12.3 ms", "123 ms"]);
});

test("long answers are cut, and lists counted", () => {
  expect(short({ steps: 6 })).toBe('{"steps":6}');
  expect(short(Array.from({ length: 100 }, (_, index) => index))).toMatch(/^\[0,1,2.* … \(100 in all\)$/);
});
