import { expect, test } from "vitest";
import { planKills, targets } from "./schedule.ts";

test("the same seed gives the same kills, another one others", () => {
  expect(planKills(targets, 300, 7)).toEqual(planKills(targets, 300, 7));
  expect(planKills(targets, 300, 7)).not.toEqual(planKills(targets, 300, 8));
});

test.each([1, 2, 3, 4, 5])(
  "with seed %i every target is hit once, in turn, while orders are left",
  (seed) => {
    const kills = planKills(targets, 300, seed);
    expect(kills.map(({ target }) => target).sort()).toEqual([...targets].sort());
    let limitBefore = 0;
    for (const { afterOrders, orderLimit } of kills) {
      expect(afterOrders).toBeGreaterThanOrEqual(Math.floor(limitBefore * 0.99));
      expect(afterOrders).toBeLessThan(orderLimit);
      expect(orderLimit).toBeLessThan(300);
      limitBefore = orderLimit;
    }
  },
);

test("seeds reach every order of two targets", () => {
  const orders = new Set(
    Array.from({ length: 20 }, (_, seed) =>
      planKills(["nats", "mysql"], 100, seed)
        .map(({ target }) => target)
        .join(),
    ),
  );
  expect(orders).toEqual(new Set(["nats,mysql", "mysql,nats"]));
});

test("more kills than orders are planned too", () => {
  expect(planKills(targets, 1, 1).every(({ afterOrders }) => afterOrders === 0)).toBe(true);
});

test("nothing to kill is no plan", () => {
  expect(planKills([], 100, 1)).toEqual([]);
});
