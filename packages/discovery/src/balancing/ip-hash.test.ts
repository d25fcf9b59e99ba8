import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "../../../../cli/seed/random.ts";
import { candidatesOf, prepare, type TestCandidate } from "../testing/candidates.ts";
import { endpoints } from "../testing/endpoints.ts";
import { ipHash } from "./ip-hash.ts";

const addresses = Array.from({ length: 2000 }, (_, index) => `10.${index >> 6}.${index & 63}.7`);

/** Which instance each address is sent to. */
function routesOf(
  all: readonly TestCandidate[],
  isUsable?: (candidate: TestCandidate) => boolean,
): Map<string, string | undefined> {
  const balancer = ipHash<TestCandidate>(seededRandom(1));
  prepare(balancer, all, isUsable);
  return new Map(addresses.map((address) => [address, balancer.pick(address, [], 0)?.endpoint.id]));
}

const sizes = fc.integer({ min: 2, max: 30 });

test("a lost instance moves only its own clients, whether it is ejected or dropped", () => {
  fc.assert(
    fc.property(sizes, fc.nat(), (size, which) => {
      const all = candidatesOf(endpoints(size));
      const lost = `i${which % size}`;
      const before = routesOf(all);
      const ejected = routesOf(all, ({ endpoint }) => endpoint.id !== lost);
      const dropped = routesOf(all.filter(({ endpoint }) => endpoint.id !== lost));
      for (const [address, id] of before) {
        if (id === lost) {
          expect(ejected.get(address)).not.toBe(lost);
        } else {
          expect(ejected.get(address)).toBe(id);
        }
      }
      expect(dropped).toEqual(ejected);
    }),
    { numRuns: 30 },
  );
});

test("a new instance takes only about its share, and nobody else moves", () => {
  fc.assert(
    fc.property(sizes, (size) => {
      const all = candidatesOf(endpoints(size + 1));
      const before = routesOf(all.slice(0, size));
      const after = routesOf(all);
      let moved = 0;
      for (const [address, id] of before) {
        if (after.get(address) !== id) {
          moved += 1;
          expect(after.get(address)).toBe(`i${size}`);
        }
      }
      expect(moved / addresses.length).toBeLessThan(1.5 / (size + 1));
    }),
    { numRuns: 30 },
  );
});

test("ten instances have shares within about a third of each other", () => {
  const counts = new Map<string, number>();
  for (const id of routesOf(candidatesOf(endpoints(10))).values()) {
    counts.set(id as string, (counts.get(id as string) ?? 0) + 1);
  }
  expect(counts.size).toBe(10);
  for (const count of counts.values()) {
    expect(Math.abs(count - 200)).toBeLessThan(70);
  }
});

test("several gateways send a client to the same instance, in whatever order they learnt of them", () => {
  const all = candidatesOf(endpoints(10));
  expect(routesOf(all.toReversed())).toEqual(routesOf(all));
});

test("a retry goes where the client would go without the instance that failed", () => {
  const balancer = ipHash<TestCandidate>(seededRandom(1));
  const all = candidatesOf(endpoints(5));
  for (const address of addresses.slice(0, 50)) {
    prepare(balancer, all);
    const first = balancer.pick(address, [], 0) as TestCandidate;
    const second = balancer.pick(address, [first], 0);
    prepare(balancer, all, (candidate) => candidate !== first);
    expect(balancer.pick(address, [], 0)).toBe(second);
  }
});

test("a request of nobody's goes anywhere", () => {
  const balancer = ipHash<TestCandidate>(seededRandom(1));
  prepare(balancer, candidatesOf(endpoints(3)));
  const ids = Array.from({ length: 50 }, () => balancer.pick(undefined, [], 0)?.endpoint.id);
  expect(new Set(ids).size).toBe(3);
});
