import { setImmediate as turn } from "node:timers/promises";
import { pino } from "pino";
import { expect, test } from "vitest";
import { currentWork, observe, runWork } from "./work.ts";

const log = pino({ enabled: false });

/** With a private field, which a proxy in place of `this` would not reach. */
class Shelf {
  #asked = 0;
  async find(title: string) {
    this.#asked += 1;
    await turn();
    if (title === "") {
      throw new Error("no title");
    }
    return `${title} ${this.#asked}`;
  }
  async findTwice(title: string) {
    await this.find(title);
    return this.find(title);
  }
}

test("work is found again behind every await, and apart from other work", async () => {
  const traceIds = await Promise.all(
    [1, 2].map(() =>
      runWork({ log }, async (work) => {
        await turn();
        expect(currentWork()).toBe(work);
        return work.traceId;
      }),
    ),
  );
  expect(new Set(traceIds).size).toBe(2);
  expect(currentWork()).toBeUndefined();
});

test("calls of the named methods are counted where they are made, failed ones too", async () => {
  const shelf = observe("mysql", new Shelf(), ["find", "findTwice"]);
  const { one, other } = {
    one: runWork({ log }, async ({ stores }) => {
      await shelf.find("a");
      await expect(shelf.find("")).rejects.toThrow("no title");
      return stores;
    }),
    other: runWork({ log }, async ({ stores }) => {
      await shelf.findTwice("b");
      return stores;
    }),
  };
  expect(await one).toEqual({ mysql: { calls: 2, ms: expect.any(Number) } });
  // One call to the client, however many it makes inside of itself.
  expect(await other).toEqual({ mysql: { calls: 1, ms: expect.any(Number) } });
});

test("an observed client works outside of any work, and methods that are not named go uncounted", async () => {
  const shelf = observe("redis", new Shelf(), ["findTwice"]);
  expect(await shelf.findTwice("a")).toBe("a 2");
  expect(await runWork({ log }, async ({ stores }) => [await shelf.find("a"), stores])).toEqual(["a 3", {}]);
  expect(shelf).toBeInstanceOf(Shelf);
});
