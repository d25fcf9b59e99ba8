import { readdirSync, readFileSync } from "node:fs";
import { until } from "./until.ts";

/** SIGSTOP; resolves once none of the threads runs any more, which the signal reaches one after another. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await until("all threads to have stopped", () =>
    readdirSync(`/proc/${pid}/task`).every((thread) => isStopped(`/proc/${pid}/task/${thread}/stat`)),
  );
}

/** The state follows the name of the command, which may hold anything (proc(5)). */
function isStopped(file: string): boolean {
  return /^ T/.test(readFileSync(file, "utf8").split(")").at(-1) ?? "");
}
