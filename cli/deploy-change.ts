import { changed } from "./job-change.ts";
import { isDeployed, type RegisteredJob, registerJob, runningAllocations } from "./nomad-jobs.ts";
import type { Outputs } from "./outputs.ts";
import { poll } from "./poll.ts";

/**
 * Deploys a small change of a job, and waits until all its instances have been exchanged for new ones.
 *
 * @param before the job without it
 * @throws LabError when that takes too long, AbortError when the signal says so
 */
export async function deployChange(
  outputs: Outputs,
  before: RegisteredJob,
  signal: AbortSignal,
): Promise<void> {
  const job = before.specification.ID;
  const version = changed(before, new Date().toISOString());
  const index = await registerJob(outputs, version);
  const wanted = version.specification.TaskGroups.reduce((sum, { Count }) => sum + Count, 0);
  const isDone = async () =>
    (await isDeployed(outputs, job, index)) && (await runningAllocations(outputs, job)).length === wanted
      ? true
      : undefined;
  await poll(`the new version of ${job} to be deployed`, isDone, { signal });
}
