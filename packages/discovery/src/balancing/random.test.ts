import { expect, test } from "vitest";
import { seededRandom } from "../../../../cli/seed/random.ts";
import { candidatesOf, prepare, type TestCandidate } from "../testing/candidates.ts";
import { endpoints } from "../testing/endpoints.ts";
import { uniform } from "./random.ts";

test("each is as likely as the others", () => {
  const balancer = uniform<TestCandidate>(seededRandom(1));
  const candidates = candidatesOf(endpoints(10));
  prepare(balancer, candidates);
  const counts = candidates.map(() => 0);
  for (let pick = 0; pick < 10_000; pick++) {
    const { index } = balancer.pick(undefined, [], 0) as TestCandidate;
    counts[index] = (counts[index] as number) + 1;
  }
  // χ² with 9 degrees of freedom is above 27.9 in one run of a thousand.
  const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(chiSquare).toBeLessThan(27.9);
});
