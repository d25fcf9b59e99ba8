import fc from "fast-check";
import { expect, test } from "vitest";
import { candidatesOf, prepare, type TestCandidate } from "../testing/candidates.ts";
import { endpoints } from "../testing/endpoints.ts";
import { smoothSchedule } from "./smooth-schedule.ts";
import { weightedRoundRobin } from "./weighted-round-robin.ts";

const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 30 });

test("in a round each comes as often as its weight says", () => {
  fc.assert(
    fc.property(weights, (all) => {
      const schedule = smoothSchedule(all);
      const sum = all.reduce((total, weight) => total + weight, 0);
      for (const [index, weight] of all.entries()) {
        const count = schedule.filter((other) => other === index).length;
        expect(count / schedule.length).toBeCloseTo(weight / sum, 10);
      }
    }),
  );
});

test("at any point of a round each has had its share, give or take about one turn", () => {
  fc.assert(
    fc.property(weights, (all) => {
      const schedule = smoothSchedule(all);
      const sum = all.reduce((total, weight) => total + weight, 0);
      const groups = new Set(all).size;
      const counts = all.map(() => 0);
      for (const [place, index] of schedule.entries()) {
        counts[index] = (counts[index] as number) + 1;
        for (const [other, weight] of all.entries()) {
          const share = ((place + 1) * weight) / sum;
          // Each group of equal weights is off by half a turn at most, of which each member bears its share.
          const bound = 1 + ((groups + 1) * weight) / sum;
          expect(Math.abs((counts[other] as number) - share)).toBeLessThanOrEqual(bound);
        }
      }
    }),
  );
});

test("heavy ones are spread among the light ones", () => {
  expect([...smoothSchedule([3, 1])]).toEqual([0, 0, 1, 0]);
  expect([...smoothSchedule([2, 2, 2])]).toEqual([0, 1, 2]);
  const longestRun = (schedule: Uint32Array) =>
    Math.max(...(schedule.join("").match(/0+/g) as string[]).map((run) => run.length));
  expect(longestRun(smoothSchedule([10, ...Array(10).fill(1)]).subarray(0, 20))).toBeLessThanOrEqual(2);
});

test("a round that would be too long is scaled down, and nobody is left out", () => {
  const schedule = smoothSchedule(Array.from({ length: 20_000 }, (_, index) => (index % 2 === 0 ? 99 : 100)));
  expect(schedule.length).toBeLessThan(1_100_000);
  expect(new Set(schedule).size).toBe(20_000);
});

test("those who are left keep their shares when others can't be used", () => {
  fc.assert(
    fc.property(weights, fc.infiniteStream(fc.boolean()), (all, isUsable) => {
      const balancer = weightedRoundRobin<TestCandidate>(() => 0.4);
      const listed = candidatesOf(endpoints(all.length, (index) => all[index] as number));
      const usable = prepare(balancer, listed, () => isUsable.next().value);
      const divisor = all.reduce((one, other) => gcd(one, other), 0);
      const sum = usable.reduce((total, { endpoint }) => total + endpoint.weight / divisor, 0);
      const counts = new Map<TestCandidate | undefined, number>();
      for (let pick = 0; pick < sum; pick++) {
        const candidate = balancer.pick(undefined, [], 0);
        counts.set(candidate, (counts.get(candidate) ?? 0) + 1);
      }
      expect(counts).toEqual(
        new Map([...counts.keys()].map((key) => [key, (key as TestCandidate).endpoint.weight / divisor])),
      );
      expect(counts.size).toBe(usable.length);
    }),
  );
});

function gcd(one: number, other: number): number {
  return other === 0 ? one : gcd(other, one % other);
}
