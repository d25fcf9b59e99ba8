import fc from "fast-check";
import { expect, test } from "vitest";
import { OutboxCursor } from "./outbox-cursor.ts";

test("begins at the start, and goes on after the last row", () => {
  const cursor = new OutboxCursor(1000);
  expect(cursor.after(0)).toBe(0);
  cursor.read([1, 2, 3], 0);
  expect(cursor.after(0)).toBe(3);
});

test("stays before numbers that were passed over, until they have come or are given up", () => {
  const cursor = new OutboxCursor(1000);
  cursor.read([1, 2, 5, 6, 9], 0);
  expect(cursor.after(500)).toBe(2);
  cursor.read([3, 4, 5, 6, 9, 10], 500);
  expect(cursor.after(1000)).toBe(6);
  expect(cursor.after(1001)).toBe(10);
});

test("passes over no row that comes within the patience, in whatever order rows come", () => {
  const arrivals = fc.shuffledSubarray(
    Array.from({ length: 30 }, (_, index) => index + 1),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 1, max: 7 }), (ids, batchSize) => {
      const cursor = new OutboxCursor(1000);
      const table = new Set<number>();
      const seen = new Set<number>();
      for (const id of ids) {
        table.add(id);
        const rows = [...table]
          .filter((row) => row > cursor.after(0))
          .sort((one, other) => one - other)
          .slice(0, batchSize);
        cursor.read(rows, 0);
        for (const row of rows) {
          table.delete(row);
          seen.add(row);
        }
      }
      expect([...seen].sort((one, other) => one - other)).toEqual(ids.toSorted((one, other) => one - other));
    }),
  );
});
