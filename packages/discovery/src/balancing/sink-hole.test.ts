import { expect, test } from "vitest";
import { seededRandom } from "../../../../cli/seed/random.ts";
import type { Instance } from "../instance.ts";
import { type BalancingName, upstreamPolicySchema } from "../policy.ts";
import { ListSource } from "../source.ts";
import { endpoints } from "../testing/endpoints.ts";
import { Upstream } from "../upstream.ts";

const requests = 20_000;
const serviceMs = 200;

/** Of a request each millisecond: five of ten instances fail at once, the others take 200 ms. */
function failedShare(balancing: BalancingName, passiveHealth: object): number {
  let nowMs = 0;
  const upstream = new Upstream({
    name: "shelf",
    source: new ListSource(endpoints(10)),
    policy: upstreamPolicySchema.parse({ balancing, passiveHealth, activeProbe: null }),
    clock: () => nowMs,
    random: seededRandom(1),
  });
  const running: Instance[] = [];
  let failures = 0;
  for (; nowMs < requests; nowMs++) {
    const instance = upstream.pick() as Instance;
    if (instance.endpoint.id < "i5") {
      failures += 1;
      upstream.release(instance, "failure", 0);
    } else {
      running[nowMs + serviceMs] = instance;
    }
    const ended = running[nowMs];
    if (ended) {
      upstream.release(ended, "success", serviceMs);
    }
  }
  return failures / requests;
}

const blind = { maxEjectedShare: 0 };

/** The mean share of three policies is known from theory: 5 of 10; 1 − C(5,2)/C(10,2); nearly all while the living are busy. */
test.each<[BalancingName, number, number]>([
  ["round-robin", 0.5, 0.5],
  ["random", 0.48, 0.52],
  ["power-of-two", 0.76, 0.8],
  ["least-connections", 0.97, 1],
])(
  "without ejection %s sends those who fail at once from %d to %d of all requests",
  (balancing, from, to) => {
    const share = failedShare(balancing, blind);
    expect(share).toBeGreaterThanOrEqual(from);
    expect(share).toBeLessThanOrEqual(to);
  },
);

test.each<BalancingName>(["round-robin", "random", "power-of-two", "least-connections", "adaptive"])(
  "with ejection %s loses a few requests to them: three each, and one each time they are tried again",
  (balancing) => {
    expect(failedShare(balancing, {}) * requests).toBeLessThanOrEqual(5 * (3 + 2));
  },
);
