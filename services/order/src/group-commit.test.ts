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

function started(): number[][] {
  return groups.map(({ items }) => items);
}

describe("items", () => {
  test("that come alone are written at once", () => {
    void books.add(1);
    expect(started()).toEqual([[1]]);
  });

  test("that come while all lanes are busy share the next transactions", async () => {
    const results = [1, 2, 3, 4, 5, 6].map((item) => books.add(item));
    expect(started()).toEqual([[1], [2]]);
    await finish(1);
    await results[1];
    expect(started()).toEqual([[1], [2], [3, 4, 5]]);
    await finish(0);
    await results[0];
    expect(started()).toEqual([[1], [2], [3, 4, 5], [6]]);
    await Promise.all([finish(2), finish(3)]);
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4, 5, 6].map((item) => `written ${item}`));
  });

  test("of a transaction that fails fail with its error, and the next ones don't", async () => {
    const results = [1, 2, 3, 4].map((item) => books.add(item));
    groups[0]?.done.reject(new Error("away"));
    await expect(results[0]).rejects.toThrow("away");
    groups[2]?.done.reject(new Error("away again"));
    await expect(results[2]).rejects.toThrow("away again");
    await expect(results[3]).rejects.toThrow("away again");
    const last = books.add(5);
    await finish(3);
    expect(await last).toBe("written 5");
  });
});
