import { execFile } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { hasTerminal, type Identity, identify, isAlive, parentOf, readProc } from "./identity.ts";
import { processes } from "./ports.ts";

const pollMs = 50;

/**
 * Ends a process: SIGTERM, then SIGKILL after the limit. Nothing happens when it is gone already.
 *
 * @param timeoutMs how long it may take to end by itself
 */
export async function stop(identity: Identity, timeoutMs: number): Promise<void> {
  signal(identity, "SIGTERM");
  if (!(await gone([identity], timeoutMs))) {
    signal(identity, "SIGKILL");
    await gone([identity], Number.POSITIVE_INFINITY);
  }
}

/**
 * Ends what a supervisor leaves behind in its state folder: processes whose working directory lies in it or whose
 * environment names it. Those that run another program than the supervisor (its tasks) get SIGTERM and the time to end by
 * themselves; the rest, and the supervisor's own helpers, SIGKILL.
 *
 * @param executable the supervisor's program
 */
export async function stopSupervised(folder: string, executable: string, timeoutMs: number): Promise<void> {
  const tasks = livingIn(folder).filter(({ pid }) => programOf(pid) !== executable);
  for (const task of tasks) {
    signal(task, "SIGTERM");
  }
  await gone(tasks, timeoutMs);
  for (let left = livingIn(folder); left.length > 0; left = livingIn(folder)) {
    for (const process of left) {
      signal(process, "SIGKILL");
    }
    await gone(left, 1000);
  }
}

/** Removes a folder, after unmounting what is mounted below it: Nomad leaves a tmpfs for each task's secrets. */
export async function removeFolder(folder: string): Promise<void> {
  for (const mount of mountsBelow(folder)) {
    await promisify(execFile)("umount", ["--lazy", mount]);
  }
  await rm(folder, { recursive: true, force: true });
}

function mountsBelow(folder: string): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[1] ?? ""))
    .filter((path) => path.startsWith(`${folder}/`))
    .reverse();
}

/** `/proc/self/mounts` writes spaces and the like as octal numbers (fstab(5)). */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** The pids of all processes that belong to a folder. */
export function processesOf(folder: string): number[] {
  return processes().filter((pid) => belongsTo(pid, folder));
}

/** What lives in a folder, but for people's shells and editors, which have a terminal, and this process and its ancestors. */
function livingIn(folder: string): Identity[] {
  const spared = new Set(ancestry(process.pid));
  return processesOf(folder)
    .filter((pid) => !spared.has(pid) && !hasTerminal(pid))
    .map(identify)
    .filter((identity) => identity !== undefined);
}

/** Whether a process works in a folder, or was started with it in its environment. */
export function belongsTo(pid: number, folder: string): boolean {
  const inside = (path: string | undefined) => path === folder || path?.startsWith(`${folder}/`) === true;
  return (
    inside(linkOf(pid, "cwd")) ||
    (readProc(pid, "environ") ?? "")
      .split("\0")
      // A shell that once stood in the folder is none of its own.
      .filter((entry) => !/^(OLD)?PWD=/.test(entry))
      .some((entry) => inside(entry.slice(entry.indexOf("=") + 1)))
  );
}

function ancestry(pid: number): number[] {
  const parent = parentOf(pid);
  return parent ? [pid, ...ancestry(parent)] : [pid];
}

function programOf(pid: number): string | undefined {
  return linkOf(pid, "exe");
}

function linkOf(pid: number, name: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return undefined;
  }
}

function signal(identity: Identity, name: "SIGTERM" | "SIGKILL"): void {
  if (isAlive(identity)) {
    try {
      process.kill(identity.pid, name);
    } catch {
      // Ended between the look and the signal.
    }
  }
}

async function gone(identities: Identity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (identities.some(isAlive)) {
    if (Date.now() > deadline) {
      return false;
    }
    await delay(pollMs);
  }
  return true;
}
