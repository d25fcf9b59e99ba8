import { expect, test } from "vitest";
import { upstreamPolicySchema } from "./policy.ts";

test("a policy that says nothing is the default, and what it says of a part leaves the rest of it", () => {
  const defaults = upstreamPolicySchema.parse({});
  expect(defaults).toMatchObject({
    balancing: "round-robin",
    passiveHealth: { consecutiveFailures: 3, maxEjectedShare: 0.7, panicShare: 0.3 },
    activeProbe: { path: "/readyz" },
    circuitBreaker: { failureShare: 0.5 },
  });
  expect(
    upstreamPolicySchema.parse({ passiveHealth: { consecutiveFailures: 5 }, activeProbe: null }),
  ).toEqual({
    ...defaults,
    passiveHealth: { ...defaults.passiveHealth, consecutiveFailures: 5 },
    activeProbe: null,
  });
});

test.each([
  { balancing: "fastest" },
  { passiveHealth: { consecutiveFailures: 0 } },
  { passiveHealth: { maxEjectedShare: 1.1 } },
  { passiveHealth: { baseEjectionMs: 5000, maxEjectionMs: 1000 } },
  { passiveHealth: { panicshare: 0.3 } },
  { activeProbe: { path: "readyz" } },
  { circuitBreaker: { failureShare: 0 } },
  { timeouts: { connectMs: 0 } },
  { retry: {} },
])("refuses %j", (policy) => {
  expect(upstreamPolicySchema.safeParse(policy).success).toBe(false);
});
