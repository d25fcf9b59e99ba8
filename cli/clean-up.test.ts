import { expect, test } from "vitest";
import { cleanUp } from "./clean-up.ts";

test("a step that fails leaves no later one undone, and is told of", async () => {
  const done: string[] = [];
  const steps = [
    async () => done.push("first"),
    async () => {
      throw new Error("refused");
    },
    async () => done.push("last"),
  ];
  await expect(cleanUp(steps)).rejects.toThrow("refused");
  expect(done).toEqual(["first", "last"]);
});
