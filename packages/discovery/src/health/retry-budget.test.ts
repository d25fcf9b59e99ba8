import fc from "fast-check";
import { expect, test } from "vitest";
import { RetryBudget } from "./retry-budget.ts";

test("retries are at most a share of the requests and some a second", () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.nat(1000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(20),
      (requests, wanted, share, perSecond) => {
        const budget = new RetryBudget();
        for (let request = 0; request < requests; request++) {
          budget.noteRequest(0);
        }
        const taken = Array.from({ length: wanted }, () => budget.take(share, perSecond, 0)).filter(Boolean);
        expect(taken).toHaveLength(Math.min(wanted, Math.floor(share * requests + perSecond * 10)));
      },
    ),
  );
});

test("a spent budget fills again in ten seconds", () => {
  const budget = new RetryBudget();
  while (budget.take(0, 10, 0)) {}
  expect(budget.take(0, 10, 8999)).toBe(false);
  expect(budget.take(0, 10, 10_000)).toBe(true);
});
