import { expect, test } from "vitest";
import { contestantNames, perName, type Round, rotated, summaryOf } from "./summary.ts";
import type { Sample } from "./wrk.ts";

function sample(requestsPerSecond: number, p99: number): Sample {
  return { requestsPerSecond, latencyMs: { p50: 1, p99, "p99.9": 2 * p99 } };
}

/** A round in which everybody but the gateway is alike. */
function round(gateway: Sample, others: Sample): Round {
  return { ...perName(contestantNames, () => others), gateway };
}

test("each round begins with another one, and everybody has a turn in each", () => {
  const orders = [0, 1, 2, 3].map((number) => rotated(["a", "b", "c"], number).join(""));
  expect(orders).toEqual(["abc", "bca", "cab", "abc"]);
});

test("a ratio is of one round, so that a slow moment of the machine counts for both", () => {
  const { ratios, spread, requestsPerSecond, latencyMs } = summaryOf([
    round(sample(12_000, 6), sample(10_000, 4)),
    // Everything took three times as long here.
    round(sample(4000, 18), sample(3333, 12)),
    round(sample(11_000, 8), sample(10_000, 4)),
  ]);
  expect(ratios.envoy).toEqual({ throughput: 1.2, p99: 1.5 });
  expect(spread.envoy).toEqual({ throughput: [1.1, 1.2], p99: [1.5, 2] });
  expect(requestsPerSecond).toMatchObject({ gateway: 11_000, envoy: 10_000 });
  expect(latencyMs.gateway).toEqual({ p50: 1, p99: 8, "p99.9": 16 });
});

test("there is a ratio for everybody whom the gateway is compared with, and none for itself", () => {
  const { ratios } = summaryOf([round(sample(1, 1), sample(1, 1))]);
  expect(Object.keys(ratios)).toEqual(["envoy", "envoyPlain", "haproxy", "nginx", "undici", "fastify"]);
});
