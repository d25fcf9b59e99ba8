import { expect, test } from "vitest";
import { typed } from "./rows.ts";

test.each([
  ["22", 22],
  ["-1.5", -1.5],
  ["true", true],
  ["false", false],
  ["Pune", "Pune"],
  ["", ""],
  ["007", "007"],
  ["1e3", "1e3"],
  ["NaN", "NaN"],
])("%j is given back as %j", (text, value) => {
  expect(typed(text)).toBe(value);
});
