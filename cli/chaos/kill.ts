import { isHealthy } from "../cluster.ts";
import { up } from "../commands/up.ts";
import { runningAllocations } from "../nomad-jobs.ts";
import type { Outputs } from "../outputs.ts";
import { poll } from "../poll.ts";
import { labProcessesOf } from "../processes.ts";
import type { Stack } from "../stack.ts";
import type { PlannedKill } from "./schedule.ts";

/** A process that was killed. */
export interface Kill {
  target: string;
  /** Whose process it was. */
  job: string;
  pid: number;
  /** Since the first order was posted. */
  atMs: number;
  /** How long it took until it, or what replaces it, was healthy again. */
  recoveredAfterMs: number;
}

/**
 * Sends SIGKILL to a process of the stack, and waits until what it belongs to is healthy again. A task comes back by Nomad, Nomad
 * itself by `pulumi up`.
 *
 * @throws LabError when it is not there, or does not come back
 */
export async function killAndWait(
  stack: Stack,
  outputs: Outputs,
  plan: PlannedKill,
  startedMs: number,
): Promise<Kill> {
  const { pid, tasks } = await poll(`${plan.job} to have a process`, async () => {
    const tasks = await pidsFor(stack, outputs, { ...plan, process: "task" });
    const [pid] = await pidsFor(stack, outputs, plan);
    if (pid === undefined) {
      return undefined;
    }
    process.kill(pid, "SIGKILL");
    return { pid, tasks };
  });
  const killedMs = performance.now();
  if (plan.process === "agent") {
    await up(stack);
  } else {
    await poll(`${plan.job} to come back`, async () => {
      const now = await pidsFor(stack, outputs, { ...plan, process: "task" });
      const isReplaced =
        now.length > 0 && now.length >= tasks.length && !now.every((one) => tasks.includes(one));
      return isReplaced && (await isHealthy(outputs, plan.job)) ? true : undefined;
    });
  }
  return {
    target: plan.target,
    job: plan.job,
    pid,
    atMs: Math.round(killedMs - startedMs),
    recoveredAfterMs: Math.round(performance.now() - killedMs),
  };
}

/** The processes of a stack that a plan means, read from what runs, not from what should. */
async function pidsFor(
  stack: Stack,
  outputs: Outputs,
  { job, process: kind }: PlannedKill,
): Promise<number[]> {
  const isAgent = kind === "agent";
  const owners = isAgent ? [job] : await runningAllocations(outputs, job);
  return labProcessesOf(stack.folders.stack)
    .filter((process) => process.kind === kind)
    .filter(({ of }) => owners.some((owner) => (isAgent ? of === owner : of.startsWith(`${owner}/`))))
    .map(({ pid }) => pid);
}
