import { expect, test } from "vitest";
import { outageOf } from "./outage.ts";

/** A letter every 100 ms: `a` is answered, `x` is not. */
function samples(letters: string) {
  return [...letters].map((letter, index) => ({ atMs: index * 100, isAnswered: letter === "a" }));
}

test.each([
  ["aaaa", { requests: 4, failed: 0, outageMs: 0 }],
  ["aaxxxaa", { requests: 7, failed: 3, outageMs: 300 }],
  ["xa", { requests: 2, failed: 1, outageMs: 100 }],
  ["aaxaxxaa", { requests: 8, failed: 3, outageMs: 300 }],
  ["aaxxx", { requests: 5, failed: 3, outageMs: 200 }],
  ["", { requests: 0, failed: 0, outageMs: 0 }],
])("%s", (letters, expected) => {
  expect(outageOf(samples(letters))).toEqual(expected);
});

test("requests count by when they were sent, not by when they ended", () => {
  expect(outageOf(samples("axxa").toReversed())).toMatchObject({ outageMs: 200 });
});
