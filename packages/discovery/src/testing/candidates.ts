import type { Balancer, Candidate } from "../balancing/balancer.ts";
import type { Endpoint } from "../endpoint.ts";

/** A candidate whose counters a test sets. */
export interface TestCandidate extends Candidate {
  active: number;
  index: number;
  estimateMs: number;
  estimatedAtMs: number;
}

/** Candidates that are not in any list yet. */
export function candidatesOf(endpoints: readonly Endpoint[]): TestCandidate[] {
  return endpoints.map((endpoint) => ({ endpoint, active: 0, index: -1, estimateMs: 0, estimatedAtMs: 0 }));
}

/** Gives a balancer its list, as an upstream does. */
export function prepare(
  balancer: Balancer<TestCandidate>,
  listed: readonly TestCandidate[],
  isUsable: (candidate: TestCandidate) => boolean = () => true,
): TestCandidate[] {
  const usable = listed.filter(isUsable);
  for (const candidate of listed) {
    candidate.index = usable.indexOf(candidate);
  }
  balancer.prepare(usable, listed);
  return usable;
}
