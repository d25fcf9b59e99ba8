import fc from "fast-check";
import { expect, test } from "vitest";
import { candidatesOf, prepare } from "../testing/candidates.ts";
import { endpoints } from "../testing/endpoints.ts";
import { roundRobin } from "./round-robin.ts";

test("after any number of turns none had more than one more than another", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.nat(500),
      fc.double({ max: 0.999, min: 0, noNaN: true }),
      (size, turns, start) => {
        const balancer = roundRobin(() => start);
        const listed = candidatesOf(endpoints(size));
        prepare(balancer, listed);
        const counts = new Map(listed.map((candidate) => [candidate, 0]));
        for (let turn = 0; turn < turns; turn++) {
          const candidate = balancer.pick(undefined, [], 0) as (typeof listed)[0];
          counts.set(candidate, (counts.get(candidate) as number) + 1);
        }
        expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test("whose turn it is keeps it when others are lost", () => {
  const balancer = roundRobin(() => 0);
  const listed = candidatesOf(endpoints(5));
  prepare(balancer, listed);
  const next = () => balancer.pick(undefined, [], 0)?.endpoint.id;
  expect([next(), next()]).toEqual(["i0", "i1"]);
  prepare(balancer, listed, ({ endpoint }) => endpoint.id !== "i0" && endpoint.id !== "i2");
  expect([next(), next(), next(), next()]).toEqual(["i3", "i4", "i1", "i3"]);
  prepare(balancer, listed);
  expect([next(), next()]).toEqual(["i4", "i0"]);
});

test("several callers don't begin with the same one", () => {
  const firstOf = (start: number) => {
    const balancer = roundRobin(() => start);
    prepare(balancer, candidatesOf(endpoints(4)));
    return balancer.pick(undefined, [], 0)?.endpoint.id;
  };
  expect([0, 0.3, 0.6, 0.9].map(firstOf)).toEqual(["i0", "i1", "i2", "i3"]);
});
