import { expect, test } from "vitest";
import { seedSteps } from "./data.ts";

test("the same seed gives the same data", () => {
  expect(seedSteps(7)).toEqual(seedSteps(7));
  expect(seedSteps(7)).not.toEqual(seedSteps(8));
});

test("no thing is written twice with different contents", () => {
  const bodies = new Map<string, string>();
  for (const { path, body } of seedSteps().flatMap(({ requests }) => requests)) {
    const text = JSON.stringify(body) ?? "";
    expect(bodies.get(path) ?? text, path).toBe(text);
    bodies.set(path, text);
  }
});
