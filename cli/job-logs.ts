import { type Dispatcher, request } from "undici";
import type { Outputs } from "./outputs.ts";

/** What one task of an allocation prints to one stream. */
export interface TaskLog {
  allocation: string;
  task: string;
  stream: "stdout" | "stderr";
}

interface AllocationStub {
  ID: string;
  JobID: string;
  ClientStatus: string;
  CreateIndex: number;
  TaskStates: Record<string, { StartedAt: string | null }> | null;
}

/** Nomad counts bytes from the end, not lines: enough for lines of this length. */
const maxLineBytes = 4000;

/** The logs of a job's newest allocation that has run. Empty when there is none. */
export async function tasksOf(outputs: Outputs, job: string): Promise<TaskLog[]> {
  const url = new URL(`/v1/job/${encodeURIComponent(job)}/allocations`, outputs.urls.nomad);
  const { body } = await request(url, { headers: headersOf(outputs) });
  const allocations = (await body.json()) as AllocationStub[];
  const [newest] = allocations
    .filter(({ TaskStates }) => Object.values(TaskStates ?? {}).some(({ StartedAt }) => StartedAt))
    .sort((one, other) => other.CreateIndex - one.CreateIndex);
  return Object.keys(newest?.TaskStates ?? {}).flatMap((task) =>
    (["stdout", "stderr"] as const).map((stream) => ({
      allocation: (newest as AllocationStub).ID,
      task,
      stream,
    })),
  );
}

/** The name of the task that every service of the shop has, in `jobs/service.nomad.hcl`. */
const serviceTask = "service";

/** What the running instances of all services print, each in a log of its own. */
export async function serviceLogs(outputs: Outputs): Promise<TaskLog[]> {
  const url = new URL("/v1/allocations?task_states=true", outputs.urls.nomad);
  const { body } = await request(url, { headers: headersOf(outputs) });
  return ((await body.json()) as AllocationStub[])
    .filter(({ ClientStatus, TaskStates }) => ClientStatus === "running" && serviceTask in (TaskStates ?? {}))
    .map(({ ID }) => ({ allocation: ID, task: serviceTask, stream: "stdout" }));
}

/** The end of a log; the first line may be the end of a longer one. Empty when there is none yet. */
export async function readLog(outputs: Outputs, log: TaskLog, maxBytes: number): Promise<string> {
  const { statusCode, body } = await openLog(outputs, log, { maxBytes, follow: false });
  const text = await body.text();
  return statusCode === 200 ? text : "";
}

/** Writes the end of a log to standard output or error; with `follow`, for as long as it is written to. */
export async function writeLog(
  outputs: Outputs,
  log: TaskLog,
  { lines, follow }: { lines: number; follow: boolean },
): Promise<void> {
  const { stream } = log;
  const { statusCode, body } = await openLog(outputs, log, { maxBytes: lines * maxLineBytes, follow });
  if (statusCode !== 200) {
    // A task that has not printed anything yet has no log.
    await body.dump();
    return;
  }
  if (!follow) {
    process[stream].write(lastLines(Buffer.from(await body.arrayBuffer()), lines));
    return;
  }
  let isFirst = true;
  for await (const piece of body as AsyncIterable<Buffer>) {
    process[stream].write(isFirst ? lastLines(piece, lines) : piece);
    isFirst = false;
  }
}

/** The last lines of a text whose first line may be the end of a longer one. */
export function lastLines(text: Buffer, count: number): string {
  const lines = text.toString().split("\n");
  const isWhole = text.length < count * maxLineBytes;
  const rest = isWhole ? lines : lines.slice(1);
  const end = rest.at(-1) === "" ? 1 : 0;
  return rest.slice(-(count + end)).join("\n");
}

/** https://developer.hashicorp.com/nomad/api-docs/client#stream-logs */
function openLog(
  outputs: Outputs,
  { allocation, task, stream }: TaskLog,
  { maxBytes, follow }: { maxBytes: number; follow: boolean },
): Promise<Dispatcher.ResponseData> {
  return request(new URL(`/v1/client/fs/logs/${allocation}`, outputs.urls.nomad), {
    headers: headersOf(outputs),
    query: { task, type: stream, plain: true, follow, origin: "end", offset: maxBytes },
    bodyTimeout: 0,
    headersTimeout: 0,
  });
}

function headersOf({ credentials }: Outputs): Record<string, string> {
  return { "x-nomad-token": credentials.nomadToken };
}
