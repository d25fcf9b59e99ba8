import { readCluster, unhealthy } from "./cluster.ts";
import { LabError } from "./errors.ts";
import { countOf } from "./nomad-jobs.ts";
import { notRunning, type Outputs } from "./outputs.ts";
import { poll } from "./poll.ts";
import type { Stack } from "./stack.ts";

/** The services that an order passes. */
export const pipeline = ["order", "payment", "notification"] as const;

/** How long a stack may take to be healthy: a check that misses once on a busy machine is no reason to refuse it. */
const healthyWithinMs = 15_000;

/**
 * Refuses a stack that is not healthy: faults of before would be measured as faults of what is done to it.
 *
 * @param needed jobs that must run too: nothing is unhealthy of a job that was scaled to nothing
 * @throws LabError that names what is wrong
 */
export async function refuseUnhealthy(
  stack: Stack,
  outputs: Outputs,
  needed: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await readCluster(outputs).catch(() => {
    throw notRunning(stack, "Nomad or Consul");
  });
  let sick: string[] = [];
  const isHealthy = async () => {
    const reasons = unhealthy(await readCluster(outputs));
    for (const job of needed) {
      if ((await countOf(outputs, job)) === 0) {
        reasons.push(`${job} is stopped`);
      }
    }
    sick = reasons;
    return sick.length === 0 ? true : undefined;
  };
  await poll("the stack to be healthy", isHealthy, { withinMs: healthyWithinMs, signal }).catch(() => {
    signal.throwIfAborted();
    throw new LabError(
      "missing",
      "unhealthy",
      `Stack ${stack.name} is not healthy:\n  ${sick.join("\n  ")}`,
      "./lab up starts what is missing; then run this again.",
    );
  });
}
