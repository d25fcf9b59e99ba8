import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "../../../../cli/seed/random.ts";
import { candidatesOf, prepare, type TestCandidate } from "../testing/candidates.ts";
import { endpoints } from "../testing/endpoints.ts";
import { adaptive, nextEstimate, powerOfTwo } from "./two-choices.ts";

const actives = fc.array(fc.nat(20), { minLength: 2, maxLength: 20 });

function shares(
  balancer: ReturnType<typeof powerOfTwo<TestCandidate>>,
  candidates: TestCandidate[],
  nowMs = 0,
): number[] {
  prepare(balancer, candidates);
  const counts = candidates.map(() => 0);
  for (let pick = 0; pick < 10_000; pick++) {
    const { index } = balancer.pick(undefined, [], nowMs) as TestCandidate;
    counts[index] = (counts[index] as number) + 1;
  }
  return counts.map((count) => count / 10_000);
}

test("never the busiest while there is no equal: one of two is always less busy", () => {
  fc.assert(
    fc.property(actives, fc.nat(), (all, seed) => {
      const balancer = powerOfTwo<TestCandidate>(seededRandom(seed));
      const candidates = candidatesOf(endpoints(all.length + 1));
      for (const [index, active] of [...all, 21].entries()) {
        (candidates[index] as TestCandidate).active = active;
      }
      prepare(balancer, candidates);
      for (let pick = 0; pick < 50; pick++) {
        expect(balancer.pick(undefined, [], 0)?.active).toBeLessThan(21);
      }
    }),
  );
});

test("the k-th least busy of n is chosen with the probability that theory gives, 2(n − k) / n(n − 1)", () => {
  const candidates = candidatesOf(endpoints(10));
  for (const [index, candidate] of candidates.entries()) {
    candidate.active = index;
  }
  for (const [index, share] of shares(powerOfTwo(seededRandom(1)), candidates).entries()) {
    expect(Math.abs(share - (2 * (9 - index)) / 90)).toBeLessThan(0.02);
  }
});

test("of two the one with the lower latency is chosen, unless more runs on it", () => {
  const [quick, slow] = candidatesOf(endpoints(2)) as [TestCandidate, TestCandidate];
  quick.estimateMs = 10;
  slow.estimateMs = 25;
  const quickShare = () => shares(adaptive(seededRandom(1)), [quick, slow])[0];
  expect(quickShare()).toBe(1);
  quick.active = 1;
  expect(quickShare()).toBe(1);
  quick.active = 2;
  expect(quickShare()).toBe(0);
});

test("an estimate fades: who was slow is tried again", () => {
  const [steady, slow] = candidatesOf(endpoints(2)) as [TestCandidate, TestCandidate];
  slow.estimateMs = 1000;
  steady.estimateMs = 10;
  const slowShareAfter = (ms: number) => {
    steady.estimatedAtMs = ms;
    return shares(adaptive(seededRandom(1)), [steady, slow], ms)[1];
  };
  expect(slowShareAfter(40_000)).toBe(0);
  expect(slowShareAfter(50_000)).toBe(1);
});

test("an unknown one gets what its number of requests gives it", () => {
  const [known, unknown] = candidatesOf(endpoints(2)) as [TestCandidate, TestCandidate];
  known.estimateMs = 10;
  const unknownShare = () => shares(adaptive(seededRandom(1)), [known, unknown])[1];
  expect(unknownShare()).toBeCloseTo(0.5, 1);
  unknown.active = 1;
  expect(unknownShare()).toBe(0);
});

test("an estimate rises at once, falls slowly, and stays between what it was and what was seen", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 1e5, noNaN: true }),
      fc.double({ min: 0.01, max: 1e5, noNaN: true }),
      fc.nat(100_000),
      (estimateMs, latencyMs, laterMs) => {
        const next = nextEstimate(estimateMs, 0, latencyMs, laterMs);
        if (latencyMs >= estimateMs) {
          expect(next).toBe(latencyMs);
        } else {
          expect(next).toBeGreaterThanOrEqual(latencyMs * (1 - 1e-9));
          expect(next).toBeLessThanOrEqual(estimateMs * (1 + 1e-9));
        }
      },
    ),
  );
  expect(nextEstimate(100, 0, 10, 0)).toBe(100);
  expect(nextEstimate(100, 0, 10, 10_000)).toBeCloseTo(10 + 90 / Math.E);
});
