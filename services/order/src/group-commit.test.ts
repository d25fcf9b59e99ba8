import { setImmediate as endOfTurn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { GroupCommit } from "./group-commit.ts";

let groups: { items: number[]; done: PromiseWithResolvers<string[]> }[];
let books: GroupCommit<number, string>;

beforeEach(() => {
  groups = [];
  books = new GroupCommit({
    commit(items: number[]) {
      const done = Promise.withResolvers<string[]>();
      groups.push({ items, done });
      return done.promise;
    },
    lanes: 2,
    maxItems: 3,
  });
});

async function finish(index: number): Promise<void> {
  const group = groups[index];
  group?.done.resolve(group.items.map((item) => `written ${item}`));
  await group?.done.promise;
}

/** The groups that are begun when all that has come by now is seen. */
async function started(): Promise<number[][]> {
  await endOfTurn();
  return groups.map(({ items }) => items);
}

describe("items", () => {
  test("that come alone are written in the same turn of the event loop", async () => {
    void books.add(1);
    expect(await started()).toEqual([[1]]);
    void books.add(2);
    expect(await started()).toEqual([[1], [2]]);
  });

  test("that come in one turn share a transaction, as far as it may hold them", async () => {
    for (const item of [1, 2, 3, 4]) {
      void books.add(item);
    }
    expect(await started()).toEqual([[1, 2, 3], [4]]);
  });

  test("that come while all lanes are busy share the next transactions", async () => {
    const results = [books.add(1)];
    await started();
    results.push(books.add(2));
    await started();
    results.push(...[3, 4, 5, 6].map((item) => books.add(item)));
    expect(await started()).toEqual([[1], [2]]);
    await finish(1);
    await results[1];
    expect(await started()).toEqual([[1], [2], [3, 4, 5]]);
    await finish(0);
    await results[0];
    expect(await started()).toEqual([[1], [2], [3, 4, 5], [6]]);
    await Promise.all([finish(2), finish(3)]);
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4, 5, 6].map((item) => `written ${item}`));
  });

  test("of a transaction that fails fail with its error, and the next ones don't", async () => {
    const results = [1, 2, 3, 4].map((item) => books.add(item));
    await started();
    groups[0]?.done.reject(new Error("away"));
    for (const result of results.slice(0, 3)) {
      await expect(result).rejects.toThrow("away");
    }
    await finish(1);
    expect(await results[3]).toBe("written 4");
    const last = books.add(5);
    await started();
    await finish(2);
    expect(await last).toBe("written 5");
  });
});
