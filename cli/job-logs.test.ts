import { expect, test } from "vitest";
import { lastLines } from "./job-logs.ts";

test.each([
  ["a\nb\nc\n", 2, "b\nc\n"],
  ["a\nb\nc", 2, "b\nc"],
  ["a\n", 5, "a\n"],
  ["", 5, ""],
])("%j, the last %i", (text, count, expected) => {
  expect(lastLines(Buffer.from(text), count)).toBe(expected);
});

test("a line whose beginning is missing is left out", () => {
  expect(lastLines(Buffer.from(`${"x".repeat(9000)}\nwhole\n`), 1)).toBe("whole\n");
  expect(lastLines(Buffer.from(`${"x".repeat(9000)}\nwhole\n`), 3)).toContain("xxx");
});
