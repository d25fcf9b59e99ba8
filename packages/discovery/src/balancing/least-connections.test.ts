import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "../../../../cli/seed/random.ts";
import { candidatesOf, prepare, type TestCandidate } from "../testing/candidates.ts";
import { endpoints } from "../testing/endpoints.ts";
import { leastConnections } from "./least-connections.ts";

test("always one on which the fewest requests run, whatever begins, ends, comes and goes", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.nat(),
      fc.array(fc.oneof(fc.constant("pick"), fc.nat(), fc.array(fc.boolean())), { maxLength: 300 }),
      (size, seed, steps) => {
        const balancer = leastConnections<TestCandidate>(seededRandom(seed));
        const listed = candidatesOf(endpoints(size));
        let usable = prepare(balancer, listed);
        const running: TestCandidate[] = [];
        for (const step of steps) {
          if (step === "pick") {
            const candidate = balancer.pick(undefined, [], 0);
            expect(candidate?.active).toBe(
              usable.length ? Math.min(...usable.map(({ active }) => active)) : undefined,
            );
            if (candidate) {
              candidate.active += 1;
              balancer.began?.(candidate);
              running.push(candidate);
            }
          } else if (typeof step === "number" && running.length > 0) {
            const [candidate] = running.splice(step % running.length, 1) as [TestCandidate];
            candidate.active -= 1;
            if (candidate.index >= 0) {
              balancer.ended?.(candidate);
            }
          } else if (Array.isArray(step)) {
            usable = prepare(
              balancer,
              listed,
              ({ endpoint }) => step[Number(endpoint.id.slice(1))] !== false,
            );
          }
        }
      },
    ),
  );
});

test("among equals each is as likely, so that not all callers run to the same one", () => {
  const balancer = leastConnections<TestCandidate>(seededRandom(1));
  const listed = candidatesOf(endpoints(4));
  const busy = listed[0] as TestCandidate;
  busy.active = 5;
  prepare(balancer, listed);
  const counts = new Map<string, number>();
  for (let pick = 0; pick < 3000; pick++) {
    const id = balancer.pick(undefined, [], 0)?.endpoint.id as string;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["i1", "i2", "i3"]);
  for (const count of counts.values()) {
    expect(Math.abs(count - 1000)).toBeLessThan(150);
  }
});
