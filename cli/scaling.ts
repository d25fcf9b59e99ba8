import { isHealthy } from "./cluster.ts";
import { countOf, runningAllocations, scale } from "./nomad-jobs.ts";
import type { Outputs } from "./outputs.ts";
import { poll } from "./poll.ts";

/**
 * Gives some services other numbers of instances, by Nomad, and waits until they are healthy, or gone.
 *
 * @param counts by job
 * @param because what Nomad's history of the jobs says
 * @returns what gives them their former numbers again, and waits
 */
export async function scaleJobs(
  outputs: Outputs,
  counts: Readonly<Record<string, number>>,
  because: string,
): Promise<() => Promise<void>> {
  const former: Record<string, number> = {};
  for (const job of Object.keys(counts)) {
    former[job] = await countOf(outputs, job);
  }
  const restore = () => scaleAll(outputs, former, because);
  try {
    await scaleAll(outputs, counts, because);
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
}

/** Side by side: one that can't be scaled keeps none of the others from it. */
async function scaleAll(
  outputs: Outputs,
  counts: Readonly<Record<string, number>>,
  because: string,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    Object.entries(counts).map(async ([job, count]) => {
      // Nomad refuses while a deployment of the job is under way, and has to be asked again.
      await poll(`Nomad to give ${job} ${count} instances`, async () => {
        await scale(outputs, job, count, because);
        return true;
      });
      await poll(`${job} to have ${count} instances`, async () =>
        (await isAsWanted(outputs, job, count)) ? true : undefined,
      );
    }),
  );
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure) {
    throw (failure as PromiseRejectedResult).reason;
  }
}

async function isAsWanted(outputs: Outputs, job: string, count: number): Promise<boolean> {
  return count === 0 ? (await runningAllocations(outputs, job)).length === 0 : isHealthy(outputs, job);
}
