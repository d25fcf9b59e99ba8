import { isHealthy } from "../cluster.ts";
import { countOf, runningAllocations, scale } from "../nomad-jobs.ts";
import type { Outputs } from "../outputs.ts";
import { poll } from "../poll.ts";

const because = "lab chaos orders";

/**
 * Ends all instances of some services, by Nomad, and waits until they are gone.
 *
 * @returns what starts as many again and waits until they are healthy
 */
export async function scaleDown(outputs: Outputs, jobs: readonly string[]): Promise<() => Promise<void>> {
  const counts = new Map<string, number>();
  const restore = async () => {
    for (const [job, count] of counts) {
      await scale(outputs, job, count, because);
    }
    for (const job of counts.keys()) {
      await poll(`${job} to be healthy`, async () => ((await isHealthy(outputs, job)) ? true : undefined));
    }
  };
  try {
    for (const job of jobs) {
      counts.set(job, await countOf(outputs, job));
      await scale(outputs, job, 0, because);
    }
    for (const job of jobs) {
      await poll(`${job} to end`, async () =>
        (await runningAllocations(outputs, job)).length === 0 ? true : undefined,
      );
    }
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
}
