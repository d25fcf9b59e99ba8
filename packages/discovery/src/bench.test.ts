import { expect, test } from "vitest";
import { measurePicks } from "./bench.ts";

test("no policy's pick takes longer the more endpoints there are", () => {
  for (const [policy, costs] of Object.entries(measurePicks([10, 10_000]))) {
    // One that looked at each would take a thousand times as long.
    expect(costs[10_000], policy).toBeLessThan(20 * (costs[10] as number));
  }
});
