import { expect, test } from "vitest";
import { poll } from "./poll.ts";

test("gives what there is at last, whatever went wrong before", async () => {
  let asked = 0;
  const look = async () => {
    asked += 1;
    if (asked === 1) {
      throw new Error("not yet there");
    }
    return asked === 2 ? undefined : "it";
  };
  expect(await poll("something", look)).toBe("it");
});

test("says what it has waited for in vain", async () => {
  const nothing = async () => undefined;
  await expect(poll("the cart", nothing, { withinMs: 1 })).rejects.toThrow("in vain for the cart");
});

test("ends when it is interrupted, not when the time is up", async () => {
  const controller = new AbortController();
  const look = async () => {
    controller.abort();
    return undefined;
  };
  await expect(poll("something", look, { signal: controller.signal })).rejects.toMatchObject({
    name: "AbortError",
  });
});
