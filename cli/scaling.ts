import { isHealthy } from "./cluster.ts";
import { countOf, runningAllocations, scale } from "./nomad-jobs.ts";
import type { Outputs } from "./outputs.ts";
import { poll } from "./poll.ts";

/**
 * Gives some services other numbers of instances, by Nomad, and waits until they are healthy, or gone.
 *
 * @param counts by job
 * @param because what Nomad's history of the jobs says
 * @param signal ends the wait early; what was asked for until then is taken back
 * @returns what gives them their former numbers again, and waits
 */
export async function scaleJobs(
  outputs: Outputs,
  counts: Readonly<Record<string, number>>,
  because: string,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  const former: Record<string, number> = {};
  for (const job of Object.keys(counts)) {
    former[job] = await countOf(outputs, job);
  }
  const restore = () => scaleAll(outputs, former, because);
  try {
    await scaleAll(outputs, counts, because, signal);
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
  signal?: AbortSignal,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    Object.entries(counts).map(async ([job, count]) => {
      // Nomad refuses while a deployment of the job is under way, and has to be asked again.
      const ask = async () => {
        await scale(outputs, job, count, because);
        return true;
      };
      const isDone = async () => ((await isAsWanted(outputs, job, count)) ? true : undefined);
      await poll(`Nomad to give ${job} ${count} instances`, ask, { signal });
      await poll(`${job} to have ${count} instances`, isDone, { signal });
    }),
  );
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure) {
    throw (failure as PromiseRejectedResult).reason;
  }
}

async function isAsWanted(outputs: Outputs, job: string, count: number): Promise<boolean> {
  const running = await runningAllocations(outputs, job);
  return running.length === count && (count === 0 || (await isHealthy(outputs, job)));
}
