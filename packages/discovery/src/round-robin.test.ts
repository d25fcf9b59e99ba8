import { expect, test } from "vitest";
import { roundRobin } from "./round-robin.ts";

test("each has its turn", () => {
  const next = roundRobin<string>();
  expect([1, 2, 3, 4].map(() => next(["a", "b", "c"]))).toEqual(["a", "b", "c", "a"]);
});

test("a list that shrinks to nothing and grows again", () => {
  const next = roundRobin<string>();
  next(["a", "b"]);
  expect(next([])).toBeUndefined();
  expect(["a", "b"]).toContain(next(["a", "b"]));
});
