import { expect, test } from "vitest";
import { describeSurvivals } from "./report.ts";
import type { Survival } from "./stateless.ts";

const cart = [{ sku: "jacket-1", quantity: 2 }];

function survival(after: Survival["after"]): Survival {
  return { job: "cart", keeps: "in Redis", before: cart, pid: 7, recoveredAfterMs: 2500, after };
}

test("what is said follows from what was left, not from which variant it was", () => {
  expect(describeSurvivals([survival(cart)])).toContain(
    "cart keeps carts in Redis: the next process has the cart.",
  );
  expect(describeSurvivals([survival([])])).toContain(
    "cart keeps carts in Redis: the cart is gone with the process.",
  );
});

test("an empty cart is called so", () => {
  expect(describeSurvivals([survival([])])).toMatch(/2 × jacket-1.*2\.5 s.*empty/);
});
