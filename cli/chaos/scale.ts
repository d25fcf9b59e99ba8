import { request } from "undici";
import type { Outputs } from "../outputs.ts";
import { isHealthy, poll, runningAllocations } from "./kill.ts";

/** The group that every service's job has, in `jobs/service.nomad.hcl`. */
const group = "service";

/**
 * Ends all instances of some services, by Nomad, and waits until they are gone.
 *
 * @returns what starts as many again and waits until they are healthy
 */
export async function scaleDown(outputs: Outputs, jobs: readonly string[]): Promise<() => Promise<void>> {
  const counts = new Map<string, number>();
  const restore = async () => {
    for (const [job, count] of counts) {
      await scale(outputs, job, count);
    }
    for (const job of counts.keys()) {
      await poll(`${job} to be healthy`, async () => ((await isHealthy(outputs, job)) ? true : undefined));
    }
  };
  try {
    for (const job of jobs) {
      counts.set(job, await countOf(outputs, job));
      await scale(outputs, job, 0);
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

async function countOf(outputs: Outputs, job: string): Promise<number> {
  const { TaskGroups } = await ask<{ TaskGroups: Record<string, { Desired: number }> }>(outputs, job, "GET");
  return TaskGroups[group]?.Desired ?? 0;
}

/** https://developer.hashicorp.com/nomad/api-docs/jobs#scale-task-group */
async function scale(outputs: Outputs, job: string, count: number): Promise<void> {
  await ask(outputs, job, "POST", { Count: count, Target: { Group: group }, Message: "lab chaos orders" });
}

async function ask<T>(
  { urls, credentials }: Outputs,
  job: string,
  method: "GET" | "POST",
  body?: object,
): Promise<T> {
  const answer = await request(new URL(`/v1/job/${encodeURIComponent(job)}/scale`, urls.nomad), {
    method,
    headers: { "x-nomad-token": credentials.nomadToken },
    body: body ? JSON.stringify(body) : null,
  });
  if (answer.statusCode !== 200) {
    throw new Error(`Nomad answered ${answer.statusCode} for ${job}: ${await answer.body.text()}`);
  }
  return (await answer.body.json()) as T;
}
