import { request } from "undici";
import type { Outputs } from "./outputs.ts";

/** What one task of an allocation prints to one stream. */
export interface TaskLog {
  allocation: string;
  task: string;
  stream: "stdout" | "stderr";
}

interface AllocationStub {
  ID: string;
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

/** Writes the end of a log to standard output or error; with `follow`, for as long as it is written to. */
export async function writeLog(
  outputs: Outputs,
  { allocation, task, stream }: TaskLog,
  { lines, follow }: { lines: number; follow: boolean },
): Promise<void> {
  const url = new URL(`/v1/client/fs/logs/${allocation}`, outputs.urls.nomad);
  const { statusCode, body } = await request(url, {
    headers: headersOf(outputs),
    query: {
      task,
      type: stream,
      plain: true,
      follow,
      origin: "end",
      offset: lines * maxLineBytes,
    },
    bodyTimeout: 0,
    headersTimeout: 0,
  });
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

function headersOf({ credentials }: Outputs): Record<string, string> {
  return { "x-nomad-token": credentials.nomadToken };
}
