import { type NomadClient, segment } from "./client.ts";

/** One version of a job that Nomad has registered. */
export interface JobVersion {
  namespace: string;
  name: string;
  /** `service`, `batch`, `system` or `sysbatch`. */
  type: string;
  version: number;
  /** Nomad's index of this version of the specification. */
  jobModifyIndex: number;
  /** The groups that it asks for instances of. */
  groups: string[];
}

interface Evaluation {
  ID: string;
  Status: string;
  StatusDescription: string;
  JobModifyIndex: number;
  /** Far in the past unless the evaluation is put off. */
  WaitUntil?: string;
  FailedTGAllocs?: Record<string, Placement> | null;
}

/** Why no node takes a group (`api.AllocationMetric`). */
export interface Placement {
  NodesEvaluated: number;
  ConstraintFiltered?: Record<string, number> | null;
  DimensionExhausted?: Record<string, number> | null;
}

interface Deployment {
  ID: string;
  Status: string;
  StatusDescription: string;
  CreateIndex: number;
  JobSpecModifyIndex: number;
  TaskGroups: Record<string, { DesiredTotal: number; HealthyAllocs: number }>;
}

interface Allocation {
  ID: string;
  TaskGroup: string;
  ClientStatus: string;
  DesiredStatus: string;
  JobVersion: number;
  CreateIndex: number;
  NextAllocation: string;
  FollowupEvalID: string;
  TaskStates: Record<string, TaskState> | null;
  DeploymentStatus?: { Healthy?: boolean | null } | null;
}

interface TaskState {
  State: string;
  Failed: boolean;
  Restarts: number;
  Events: Array<{ Type: string; DisplayMessage: string; Time: number }>;
}

/**
 * How long a group may wait for a node. An agent that has just been started registers its node, and finds its drivers and
 * Consul, only after it answers.
 */
const placementGraceMs = 20_000;

/** A task that has ended so often before it was ever healthy will go on so: its deployment need not wait for the deadline. */
const crashLoopRestarts = 5;

/** How many events and log lines of a failed task an error shows. */
const shownEvents = 8;
const shownLogLines = 12;

/**
 * Waits until Nomad has brought the job where its specification says: a service's deployment successful, a batch job
 * complete. A rollback is a failure.
 *
 * @returns what failed, or `undefined`: the job is as it should be
 */
export async function untilSettled(
  client: NomadClient,
  job: JobVersion,
  options: { timeoutMs: number; signal: AbortSignal; progress(line: string): void },
): Promise<string | undefined> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  try {
    return (
      (await untilPlaced(client, job, signal, options)) ??
      (await untilDeployed(client, job, signal, options.progress))
    );
  } catch (error) {
    options.signal.throwIfAborted();
    if (deadline.aborted) {
      const goal = isBatch(job) ? "complete" : "healthy";
      return `Job ${job.name} was not ${goal} within ${options.timeoutMs / 1000} s.`;
    }
    throw error;
  }
}

/** Whether Nomad gave this version of the job up: only a new version starts it again. */
export async function hasFailed(client: NomadClient, job: JobVersion): Promise<boolean> {
  const [deployment, { body }] = await Promise.all([
    deploymentOf(client, job),
    allAllocationsOf(client, job),
  ]);
  if (deployment?.body.Status === "failed" || deployment?.body.Status === "cancelled") {
    return true;
  }
  const current = deployment ? currentOf(body, job) : currentOfUndeployed(body, job);
  return current.some(isLost) && !(await isBeingScheduled(client, job));
}

/** What the tasks of this version went through: the last events and log lines of one allocation that isn't healthy. */
export async function failuresOf(client: NomadClient, job: JobVersion): Promise<string[]> {
  const { body } = await allAllocationsOf(client, job);
  const ofThisVersion = body.filter(({ JobVersion }) => JobVersion === job.version);
  const suspect = (ofThisVersion.length > 0 ? ofThisVersion : body)
    .filter(({ DeploymentStatus, ClientStatus }) => !DeploymentStatus?.Healthy || ClientStatus === "failed")
    .sort((one, other) => other.CreateIndex - one.CreateIndex)[0];
  const reports: string[] = [];
  for (const [task, state] of Object.entries(suspect?.TaskStates ?? {})) {
    const events = state.Events.slice(-shownEvents).map(
      ({ Type, DisplayMessage }) => `  ${Type}: ${DisplayMessage}`,
    );
    reports.push(
      [`Task ${task} (${state.State}${state.Failed ? ", failed" : ""}), last events:`, ...events].join("\n"),
    );
    for (const stream of ["stdout", "stderr"] as const) {
      const lines = await logOf(client, job, (suspect as Allocation).ID, task, stream);
      if (lines.length > 0) {
        reports.push([`Its last lines on ${stream}:`, ...lines.map((line) => `  ${line}`)].join("\n"));
      }
    }
  }
  return reports;
}

/** Why no node takes a group, in words. */
export function explainPlacement(group: string, metric: Placement): string {
  const reasons = [
    ...Object.keys(metric.DimensionExhausted ?? {}).map((what) => `not enough ${what}`),
    ...Object.keys(metric.ConstraintFiltered ?? {}).map((constraint) => `no node with ${constraint}`),
  ];
  const why =
    reasons.length > 0
      ? reasons.join(", ")
      : metric.NodesEvaluated === 0
        ? "there is no node that is ready in the job's datacenters and node pool"
        : `${metric.NodesEvaluated} nodes were looked at`;
  return `No node can run group ${group}: ${why}.`;
}

/** Waits until the scheduler has placed what the job asks for. */
async function untilPlaced(
  client: NomadClient,
  job: JobVersion,
  signal: AbortSignal,
  { timeoutMs, progress }: { timeoutMs: number; progress(line: string): void },
): Promise<string | undefined> {
  // Where there is less time than that, half of it, so that the reason is told rather than that the time is up.
  const graceEnds = Date.now() + Math.min(placementGraceMs, timeoutMs / 2);
  let shown = "";
  for (let index = 0; ; ) {
    const answer = await evaluationsOf(client, job, { index, wait: "1s" }, signal);
    const mine = answer.body.filter(({ JobModifyIndex }) => JobModifyIndex === job.jobModifyIndex);
    const given = mine.find(({ Status }) => Status === "failed");
    if (given) {
      return `Nomad's scheduler gave job ${job.name} up: ${given.StatusDescription}`;
    }
    const open = answer.body.filter(isOpen);
    if (open.length === 0) {
      return undefined;
    }
    const unplaced = open
      .filter(({ Status }) => Status === "blocked")
      .flatMap(({ FailedTGAllocs }) => Object.entries(FailedTGAllocs ?? {}))
      .map(([group, metric]) => explainPlacement(group, metric))
      .join("\n");
    if (unplaced !== "" && Date.now() > graceEnds) {
      return unplaced;
    }
    if (unplaced !== "" && unplaced !== shown) {
      shown = unplaced;
      progress(unplaced);
    }
    index = answer.index;
  }
}

async function untilDeployed(
  client: NomadClient,
  job: JobVersion,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<string | undefined> {
  let shown = "";
  for (let index = 0; ; ) {
    const deployment = await deploymentOf(client, job, { index, wait: "1s" }, signal);
    if (!deployment) {
      // Batch and system jobs, and services without an `update` block or with nothing to place, have none.
      return await untilRunning(client, job, signal);
    }
    const { Status, StatusDescription, TaskGroups } = deployment.body;
    if (Status === "successful") {
      return undefined;
    }
    if (Status === "failed" || Status === "cancelled") {
      return `The deployment of job ${job.name} ${Status === "failed" ? "failed" : "was cancelled"}: ${StatusDescription}`;
    }
    const crashing = await crashingTask(client, job, signal);
    if (crashing !== undefined) {
      // Nomad goes back to the last version that was healthy, where the job says so.
      await client.json(`/v1/deployment/fail/${deployment.body.ID}`, { method: "PUT", signal });
      return `The deployment of job ${job.name} failed: task ${crashing} ended ${crashLoopRestarts} times.`;
    }
    const state = Object.values(TaskGroups)
      .map(({ HealthyAllocs, DesiredTotal }) => `${HealthyAllocs} of ${DesiredTotal} healthy`)
      .join(", ");
    if (state !== shown) {
      shown = state;
      progress(state);
    }
    index = deployment.index;
  }
}

/** A task of this version that ends again and again without having been healthy. */
async function crashingTask(
  client: NomadClient,
  job: JobVersion,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { body } = await allAllocationsOf(client, job, {}, signal);
  return currentOf(body, job)
    .filter(({ DeploymentStatus }) => !DeploymentStatus?.Healthy)
    .flatMap(({ TaskStates }) => Object.entries(TaskStates ?? {}))
    .find(([, { Restarts }]) => Restarts >= crashLoopRestarts)?.[0];
}

/** Waits by what the allocations say: all running, or those of a batch job complete. */
async function untilRunning(
  client: NomadClient,
  job: JobVersion,
  signal: AbortSignal,
): Promise<string | undefined> {
  const goal = isBatch(job) ? "complete" : "running";
  for (let index = 0; ; ) {
    const answer = await allAllocationsOf(client, job, { index, wait: "1s" }, signal);
    const allocations = currentOfUndeployed(answer.body, job);
    if (allocations.every(({ ClientStatus }) => ClientStatus === goal)) {
      return undefined;
    }
    // A replacement may be on its way.
    if (allocations.some(isLost) && !(await isBeingScheduled(client, job, signal))) {
      return `Job ${job.name} failed.`;
    }
    index = answer.index;
  }
}

type Query = Record<string, string | number>;

function evaluationsOf(client: NomadClient, job: JobVersion, query: Query, signal?: AbortSignal) {
  return client.answer<Evaluation[]>(`/v1/job/${segment(job.name)}/evaluations`, {
    query: { namespace: job.namespace, ...query },
    signal,
  });
}

/** Whether the scheduler has still something to do for the job, such as to replace an allocation that is lost. */
async function isBeingScheduled(
  client: NomadClient,
  job: JobVersion,
  signal?: AbortSignal,
): Promise<boolean> {
  return (await evaluationsOf(client, job, {}, signal)).body.some(isOpen);
}

/** Whether the scheduler has still to act on it: not one that is put off until an allocation's next try. */
function isOpen({ Status, WaitUntil }: Evaluation): boolean {
  return Status === "blocked" || (Status === "pending" && !(WaitUntil && Date.parse(WaitUntil) > Date.now()));
}

/** The deployment of this version, if it has one. */
async function deploymentOf(client: NomadClient, job: JobVersion, query: Query = {}, signal?: AbortSignal) {
  const { body, index } = await client.answer<Deployment[]>(`/v1/job/${segment(job.name)}/deployments`, {
    query: { namespace: job.namespace, ...query },
    signal,
  });
  const [latest] = body
    .filter(({ JobSpecModifyIndex }) => JobSpecModifyIndex === job.jobModifyIndex)
    .sort((one, other) => other.CreateIndex - one.CreateIndex);
  return latest && { body: latest, index };
}

/** All allocations that the job ever had, in every version, as far as Nomad remembers. */
function allAllocationsOf(client: NomadClient, job: JobVersion, query: Query = {}, signal?: AbortSignal) {
  return client.answer<Allocation[]>(`/v1/job/${segment(job.name)}/allocations`, {
    query: { namespace: job.namespace, ...query },
    signal,
  });
}

/** Those of this version that were neither stopped nor replaced. */
function currentOf(allocations: Allocation[], job: JobVersion): Allocation[] {
  return wantedOf(allocations, job).filter(({ JobVersion }) => JobVersion === job.version);
}

/** Nomad does not mark one as stopped that had failed before its group was scaled to nothing. */
function wantedOf(allocations: Allocation[], { groups }: JobVersion): Allocation[] {
  return allocations.filter(
    ({ DesiredStatus, NextAllocation, TaskGroup }) =>
      DesiredStatus === "run" && NextAllocation === "" && groups.includes(TaskGroup),
  );
}

/**
 * The same for a version without a deployment. A batch job runs anew with each version; of any other job the allocations of
 * earlier versions count as well: a change that needs no new ones leaves them, dead or alive.
 */
function currentOfUndeployed(allocations: Allocation[], job: JobVersion): Allocation[] {
  return isBatch(job) ? currentOf(allocations, job) : wantedOf(allocations, job);
}

/** Over without success, and not to be replaced. */
function isLost({ ClientStatus, FollowupEvalID }: Allocation): boolean {
  return (ClientStatus === "failed" || ClientStatus === "lost") && FollowupEvalID === "";
}

function isBatch({ type }: JobVersion): boolean {
  return type === "batch" || type === "sysbatch";
}

async function logOf(
  client: NomadClient,
  { namespace }: JobVersion,
  allocation: string,
  task: string,
  type: "stdout" | "stderr",
): Promise<string[]> {
  try {
    const text = await client.text(`/v1/client/fs/logs/${allocation}`, {
      query: { namespace, task, type, plain: true, origin: "end", offset: 4000 },
      signal: AbortSignal.timeout(5000),
    });
    return text.trimEnd().split("\n").filter(Boolean).slice(-shownLogLines);
  } catch {
    // A task that never started has no log; that must not hide why it didn't.
    return [];
  }
}
