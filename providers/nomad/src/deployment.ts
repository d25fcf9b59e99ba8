import { setTimeout as delay } from "node:timers/promises";
import type { NomadClient } from "./client.ts";

/** What to wait for. */
export interface Expectation {
  namespace: string;
  name: string;
  /** The job's type: `service`, `batch`, `system` or `sysbatch`. */
  type: string;
  /** The evaluation of the registration; without one the job was there already. */
  evaluation?: string;
  jobModifyIndex: number;
  timeoutMs: number;
  signal: AbortSignal;
  /** Told when something changes. */
  progress(line: string): void;
}

/** How it ended: without a failure, the job is as it should be. */
export interface Settled {
  failure?: string;
}

interface Evaluation {
  ID: string;
  Status: string;
  StatusDescription: string;
  NextEval: string;
  FailedTGAllocs?: Record<string, Placement> | null;
}

/** Why no node takes a group (`api.AllocationMetric`). */
interface Placement {
  NodesEvaluated: number;
  ConstraintFiltered?: Record<string, number> | null;
  DimensionExhausted?: Record<string, number> | null;
}

interface Deployment {
  ID: string;
  Status: string;
  StatusDescription: string;
  JobSpecModifyIndex: number;
  TaskGroups: Record<string, { DesiredTotal: number; HealthyAllocs: number }>;
}

interface Allocation {
  ID: string;
  ClientStatus: string;
  DesiredStatus: string;
  JobVersion: number;
  CreateIndex: number;
  TaskStates: Record<string, TaskState> | null;
  DeploymentStatus?: { Healthy?: boolean | null } | null;
}

interface TaskState {
  State: string;
  Failed: boolean;
  Events: Array<{ Type: string; DisplayMessage: string; Time: number }>;
}

/** How often something without a blocking query of its own is asked again. */
const pollMs = 200;

/** How many events and log lines of a failed task an error shows. */
const shownEvents = 6;
const shownLogLines = 12;

/**
 * Waits until Nomad has brought the job where its specification says: a service's deployment successful, a batch job
 * complete. A rollback counts as a failure.
 */
export async function untilSettled(client: NomadClient, expected: Expectation): Promise<Settled> {
  const deadline = AbortSignal.timeout(expected.timeoutMs);
  const signal = AbortSignal.any([expected.signal, deadline]);
  try {
    if (expected.evaluation) {
      const failure = await evaluated(client, expected.evaluation, signal);
      if (failure !== undefined) {
        return { failure };
      }
    }
    return expected.type === "batch" || expected.type === "sysbatch"
      ? await completed(client, expected, signal)
      : await deployed(client, expected, signal);
  } catch (error) {
    expected.signal.throwIfAborted();
    if (deadline.aborted) {
      return { failure: `Job ${expected.name} was not healthy within ${expected.timeoutMs / 1000} s.` };
    }
    throw error;
  }
}

async function evaluated(client: NomadClient, id: string, signal: AbortSignal): Promise<string | undefined> {
  let index = 0;
  for (;;) {
    const { body, ...answer } = await client.answer<Evaluation>(`/v1/evaluation/${id}`, {
      query: { index, wait: "30s" },
      signal,
    });
    if (body.Status === "complete") {
      const unplaced = Object.entries(body.FailedTGAllocs ?? {});
      return unplaced.length === 0
        ? undefined
        : unplaced.map(([group, metric]) => explainPlacement(group, metric)).join("\n");
    }
    if (body.Status !== "pending" && body.Status !== "blocked") {
      return `Nomad's scheduler gave up: ${body.Status} ${body.StatusDescription}`;
    }
    index = answer.index;
  }
}

/** Why no node takes a group, in words. */
export function explainPlacement(group: string, metric: Placement): string {
  const reasons = [
    ...Object.entries(metric.DimensionExhausted ?? {}).map(([what]) => `not enough ${what}`),
    ...Object.keys(metric.ConstraintFiltered ?? {}).map((constraint) => `no node with ${constraint}`),
  ];
  const why = reasons.length > 0 ? reasons.join(", ") : `${metric.NodesEvaluated} nodes were looked at`;
  return `No node can run group ${group}: ${why}.`;
}

async function deployed(client: NomadClient, expected: Expectation, signal: AbortSignal): Promise<Settled> {
  const path = `/v1/job/${encodeURIComponent(expected.name)}/deployment`;
  let index = 0;
  let shown = "";
  for (;;) {
    const { body, ...answer } = await client.answer<Deployment | null>(path, {
      query: { namespace: expected.namespace, index, wait: "10s" },
      signal,
    });
    index = answer.index;
    if (!body) {
      // A job without an `update` block has no deployments; its allocations say how it is.
      return await running(client, expected, signal);
    }
    if (body.Status === "successful") {
      return body.JobSpecModifyIndex === expected.jobModifyIndex || !expected.evaluation
        ? {}
        : {
            failure: `Nomad rolled job ${expected.name} back to an earlier version: the new one did not become healthy.`,
          };
    }
    if (body.Status !== "running" && body.Status !== "pending" && body.Status !== "initializing") {
      return { failure: `Deployment of job ${expected.name} is ${body.Status}: ${body.StatusDescription}` };
    }
    const state = Object.values(body.TaskGroups)
      .map(({ HealthyAllocs, DesiredTotal }) => `${HealthyAllocs} of ${DesiredTotal} healthy`)
      .join(", ");
    if (state !== shown) {
      shown = state;
      expected.progress(state);
    }
  }
}

async function running(client: NomadClient, expected: Expectation, signal: AbortSignal): Promise<Settled> {
  for (;;) {
    const latest = await latestAllocations(client, expected.namespace, expected.name, signal);
    if (latest.some(({ ClientStatus }) => ClientStatus === "failed")) {
      return { failure: `Job ${expected.name} failed.` };
    }
    if (latest.length > 0 && latest.every(({ ClientStatus }) => ClientStatus === "running")) {
      return {};
    }
    await delay(pollMs, undefined, { signal });
  }
}

async function completed(client: NomadClient, expected: Expectation, signal: AbortSignal): Promise<Settled> {
  for (;;) {
    const latest = await latestAllocations(client, expected.namespace, expected.name, signal);
    if (latest.some(({ ClientStatus }) => ClientStatus === "failed" || ClientStatus === "lost")) {
      return { failure: `Batch job ${expected.name} failed.` };
    }
    if (latest.length > 0 && latest.every(({ ClientStatus }) => ClientStatus === "complete")) {
      return {};
    }
    await delay(pollMs, undefined, { signal });
  }
}

/** The allocations of the job's latest version. */
async function latestAllocations(
  client: NomadClient,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<Allocation[]> {
  const path = `/v1/job/${encodeURIComponent(name)}`;
  const [job, allocations] = await Promise.all([
    client.json<{ Version: number }>(path, { query: { namespace }, signal }),
    client.json<Allocation[]>(`${path}/allocations`, { query: { namespace }, signal }),
  ]);
  return allocations.filter(({ JobVersion }) => JobVersion === job.Version);
}

/** What the tasks of a job that isn't healthy went through: the last events and log lines of the newest allocation. */
export async function failuresOf(client: NomadClient, namespace: string, name: string): Promise<string[]> {
  const path = `/v1/job/${encodeURIComponent(name)}/allocations`;
  const allocations = await client.json<Allocation[]>(path, { query: { namespace } });
  const newest = allocations
    .filter(({ DeploymentStatus }) => DeploymentStatus?.Healthy !== true)
    .sort((one, other) => other.CreateIndex - one.CreateIndex)[0];
  if (!newest) {
    return [];
  }
  const reports: string[] = [];
  for (const [task, state] of Object.entries(newest.TaskStates ?? {})) {
    const events = state.Events.slice(-shownEvents).map(
      ({ Type, DisplayMessage }) => `  ${Type}: ${DisplayMessage}`,
    );
    const lines = [
      ...(await logOf(client, newest.ID, task, "stderr")),
      ...(await logOf(client, newest.ID, task, "stdout")),
    ].slice(-shownLogLines);
    reports.push(
      [`Task ${task} (${state.State}${state.Failed ? ", failed" : ""}), last events:`, ...events].join("\n"),
      ...(lines.length > 0 ? [["Its last log lines:", ...lines.map((line) => `  ${line}`)].join("\n")] : []),
    );
  }
  return reports;
}

async function logOf(client: NomadClient, allocation: string, task: string, type: string): Promise<string[]> {
  try {
    const text = await client.text(`/v1/client/fs/logs/${allocation}`, {
      query: { task, type, plain: true, origin: "end", offset: 4000 },
      signal: AbortSignal.timeout(5000),
    });
    return text.trimEnd().split("\n").filter(Boolean).slice(-shownLogLines);
  } catch {
    // A task that never started has no log; that must not hide why it didn't.
    return [];
  }
}
