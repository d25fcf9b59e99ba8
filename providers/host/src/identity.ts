import { readdirSync, readFileSync } from "node:fs";

/**
 * One process of one boot. A pid alone may belong to another process by now; with the start time and the boot it can't.
 */
export interface Identity {
  pid: number;
  /** Start time in clock ticks since boot: field 22 of `/proc/<pid>/stat` (proc(5)). */
  startTicks: string;
  bootId: string;
}

/**
 * The identity of a running process; `undefined` when there is none, or only its zombie. A process whose first thread has
 * ended is there, with its open ports, until the last one has.
 */
export function identify(pid: number): Identity | undefined {
  const stat = readProc(pid, "stat");
  if (stat === undefined) {
    return undefined;
  }
  const fields = fieldsAfterCommand(stat);
  const [state, startTicks] = [fields[0], fields[19]];
  const isOver = state === "X" || (state === "Z" && !hasThreads(pid));
  return isOver || startTicks === undefined ? undefined : { pid, startTicks, bootId: bootId() };
}

/** Whether threads besides the first one are left. */
function hasThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** Whether this very process still runs. */
export function isAlive({ pid, startTicks, bootId: boot }: Identity): boolean {
  const now = identify(pid);
  return now !== undefined && now.startTicks === startTicks && now.bootId === boot;
}

/** A file of `/proc/<pid>/`; `undefined` when the process is gone or another user's. */
export function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

/** The command line of a process as one would type it. */
export function commandOf(pid: number): string {
  return (readProc(pid, "cmdline") ?? "").split("\0").filter(Boolean).join(" ");
}

/** The parent of a process; `undefined` when the process is gone. */
export function parentOf(pid: number): number | undefined {
  const stat = readProc(pid, "stat");
  return stat === undefined ? undefined : Number(fieldsAfterCommand(stat)[1]);
}

/** Whether a process has a terminal: someone sits in front of it, or has started it there. */
export function hasTerminal(pid: number): boolean {
  const stat = readProc(pid, "stat");
  return stat !== undefined && fieldsAfterCommand(stat)[4] !== "0";
}

/** The fields of `/proc/<pid>/stat` from the state on. The command's name in brackets before them may hold anything. */
function fieldsAfterCommand(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
