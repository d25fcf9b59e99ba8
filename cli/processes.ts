import { commandOf, parentOf } from "../providers/host/src/identity.ts";
import { processesOf } from "../providers/host/src/stop.ts";

/** A process of an environment. */
export interface LabProcess {
  pid: number;
  kind: "agent" | "executor" | "log collector" | "task";
  /** The agent's program, or the allocation's id and the task. */
  of: string;
}

/** The processes of a stack, by what they are for. */
export function labProcessesOf(stackFolder: string): LabProcess[] {
  return processesOf(stackFolder).map((pid) => ({ pid, ...describe(pid) }));
}

/** An executor is started with the path of its log: `…/alloc/<allocation>/<task>/executor.out`. */
const taskFolder = /\/alloc\/([^/]+\/[^/]+)\//;

function describe(pid: number): Omit<LabProcess, "pid"> {
  const command = commandOf(pid);
  if (/\/(nomad|consul) agent /.test(command)) {
    return { kind: "agent", of: command.includes("/consul agent") ? "consul" : "nomad" };
  }
  if (/\/nomad executor /.test(command)) {
    return { kind: "executor", of: command.match(taskFolder)?.[1] ?? command };
  }
  if (/\/nomad logmon/.test(command)) {
    return { kind: "log collector", of: "" };
  }
  // A task is its executor's child. Its own environment and folder say nothing: some servers change both.
  const executor = commandOf(parentOf(pid) ?? 0);
  return { kind: "task", of: executor.match(taskFolder)?.[1] ?? command };
}
