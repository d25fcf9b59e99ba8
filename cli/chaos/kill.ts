import { identify, isAlive } from "../../providers/host/src/identity.ts";
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

/** Whose process is meant, and which. */
export type Victim = Pick<PlannedKill, "job" | "process">;

/**
 * Sends SIGKILL to a planned process, and waits until what it belongs to is healthy again.
 *
 * @throws LabError when it is not there, or does not come back
 */
export async function killAndWait(
  stack: Stack,
  outputs: Outputs,
  plan: PlannedKill,
  startedMs: number,
  signal: AbortSignal,
): Promise<Kill> {
  const { pid, killedMs, recoveredAfterMs } = await kill(stack, outputs, plan, signal);
  return {
    target: plan.target,
    job: plan.job,
    pid,
    atMs: Math.round(killedMs - startedMs),
    recoveredAfterMs,
  };
}

/**
 * Sends SIGKILL to a process of the stack, and waits until what it belongs to is healthy again. A task comes back by Nomad, Nomad
 * itself by `pulumi up`.
 *
 * @throws LabError when it is not there, or does not come back
 */
export async function kill(
  stack: Stack,
  outputs: Outputs,
  victim: Victim,
  signal: AbortSignal,
): Promise<{ pid: number; killedMs: number; recoveredAfterMs: number }> {
  const findAndKill = async () => {
    const tasks = await pidsFor(stack, outputs, { ...victim, process: "task" });
    const [pid] = await pidsFor(stack, outputs, victim);
    const killed = pid === undefined ? undefined : identify(pid);
    if (killed === undefined) {
      return undefined;
    }
    process.kill(killed.pid, "SIGKILL");
    return { killed, tasks };
  };
  const { killed, tasks } = await poll(`${victim.job} to have a process`, findAndKill, { signal });
  const killedMs = performance.now();
  if (victim.process === "agent") {
    // It has its ports until the last of its threads has ended, and `up` would find them taken.
    await poll(`${victim.job} to end`, async () => (isAlive(killed) ? undefined : true), { signal });
    await up(stack);
  } else {
    const isBack = async () => {
      const now = await pidsFor(stack, outputs, { ...victim, process: "task" });
      const isReplaced =
        now.length > 0 && now.length >= tasks.length && !now.every((one) => tasks.includes(one));
      return isReplaced && (await isHealthy(outputs, victim.job)) ? true : undefined;
    };
    await poll(`${victim.job} to come back`, isBack, { signal });
  }
  return { pid: killed.pid, killedMs, recoveredAfterMs: Math.round(performance.now() - killedMs) };
}

/** The processes of a stack that a plan means, read from what runs, not from what should. */
async function pidsFor(stack: Stack, outputs: Outputs, { job, process: kind }: Victim): Promise<number[]> {
  const isAgent = kind === "agent";
  const owners = isAgent ? [job] : await runningAllocations(outputs, job);
  return labProcessesOf(stack.folders.stack)
    .filter((process) => process.kind === kind)
    .filter(({ of }) => owners.some((owner) => (isAgent ? of === owner : of.startsWith(`${owner}/`))))
    .map(({ pid }) => pid);
}
