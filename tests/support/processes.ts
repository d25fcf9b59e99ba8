import { readFileSync } from "node:fs";
import { commandOf } from "../../providers/host/src/identity.ts";
import { processes } from "../../providers/host/src/ports.ts";
import { belongsTo } from "../../providers/host/src/stop.ts";

/** A process of an environment. */
export interface LabProcess {
  pid: number;
  kind: "agent" | "executor" | "log collector" | "task";
  /** The agent's program, or the allocation's id and the task. */
  of: string;
}

/** The processes of a stack, by what they are for. */
export function processesOf(stackFolder: string): LabProcess[] {
  return processes()
    .filter((pid) => belongsTo(pid, stackFolder))
    .map((pid) => ({ pid, ...describe(pid) }));
}

function describe(pid: number): Omit<LabProcess, "pid"> {
  const command = commandOf(pid);
  if (/\/(nomad|consul) agent /.test(command)) {
    return { kind: "agent", of: command.includes("/consul agent") ? "consul" : "nomad" };
  }
  if (/\/nomad executor /.test(command)) {
    return { kind: "executor", of: command.match(/\/alloc\/([^/]+\/[^/]+)\//)?.[1] ?? command };
  }
  if (/\/nomad logmon/.test(command)) {
    return { kind: "log collector", of: "" };
  }
  const variables = environmentOf(pid);
  return { kind: "task", of: `${variables.get("NOMAD_ALLOC_ID")}/${variables.get("NOMAD_TASK_NAME")}` };
}

function environmentOf(pid: number): Map<string, string> {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return new Map(
      entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    );
  } catch {
    return new Map();
  }
}
