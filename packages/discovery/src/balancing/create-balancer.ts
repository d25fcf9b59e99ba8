import type { BalancingName } from "../policy.ts";
import type { Balancer, Candidate, Random } from "./balancer.ts";
import { ipHash } from "./ip-hash.ts";
import { leastConnections } from "./least-connections.ts";
import { uniform } from "./random.ts";
import { roundRobin } from "./round-robin.ts";
import { adaptive, powerOfTwo } from "./two-choices.ts";
import { weightedRoundRobin } from "./weighted-round-robin.ts";

const policies: Record<BalancingName, <C extends Candidate>(random: Random) => Balancer<C>> = {
  "round-robin": roundRobin,
  "least-connections": leastConnections,
  "ip-hash": ipHash,
  "weighted-round-robin": weightedRoundRobin,
  random: uniform,
  "power-of-two": powerOfTwo,
  adaptive,
};

/** The policy of a name, with an empty list. */
export function createBalancer<C extends Candidate>(name: BalancingName, random: Random): Balancer<C> {
  return policies[name](random);
}
