import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Environment } from "../infra/environment.ts";
import { listeningPorts } from "../infra/ports.ts";
import { describeHolder, type Holder, holdersOf } from "../providers/host/src/ports.ts";
import { belongsTo } from "../providers/host/src/stop.ts";
import { LabError } from "./errors.ts";
import type { Stack } from "./stack.ts";

const gib = 1024 ** 3;

/** What a fresh start needs; README.md says what was measured. */
export const needed = {
  memoryBytes: 2.5 * gib,
  dataBytes: 1 * gib,
  /** While the Go tools are built. */
  buildBytes: 12 * gib,
};

/** Who holds a stack's ports. */
export interface PortHolders {
  /** Whether some are held by the stack itself, so that it runs. */
  isRunning: boolean;
  /** Processes that are none of the stack's. */
  foreign: Holder[];
}

/** Looks who listens on the ports of a stack. */
export function portHolders({ folders }: Stack, { ports }: Environment): PortHolders {
  const holders = holdersOf(listeningPorts(ports).map(([, port]) => port));
  const isOurs = ({ pid }: Holder) => pid !== undefined && belongsTo(pid, folders.stack);
  return { isRunning: holders.some(isOurs), foreign: holders.filter((holder) => !isOurs(holder)) };
}

/** Memory that can be had without swapping, in bytes (proc(5), `MemAvailable`). */
export function availableMemoryBytes(): number {
  return Number(readFileSync("/proc/meminfo", "utf8").match(/^MemAvailable:\s+(\d+) kB/m)?.[1] ?? 0) * 1024;
}

/** Space that can be had in a folder, or in the one that it would be made in, in bytes. */
export async function freeDiskBytes(folder: string): Promise<number> {
  let existing = folder;
  while (!existsSync(existing)) {
    existing = dirname(existing);
  }
  const { bavail, bsize } = await statfs(existing);
  return bavail * bsize;
}

/** Bytes for people. */
export function size(bytes: number): string {
  return `${(bytes / gib).toFixed(1)} GiB`;
}

/**
 * Refuses to begin what can't end well on this machine.
 *
 * @throws LabError that names what is taken or short
 */
export async function refuseUnfitMachine(stack: Stack, environment: Environment): Promise<void> {
  const { isRunning, foreign } = portHolders(stack, environment);
  if (foreign.length > 0) {
    throw new LabError(
      "missing",
      "port-taken",
      `Stack ${stack.name} can't have its ports: ${foreign.map(describeHolder).join("; ")}.`,
      `End that process, or give the stack another lab:portBase in ${stack.configSource}.`,
    );
  }
  const free = await freeDiskBytes(stack.folders.home);
  if (free < needed.dataBytes && !isRunning) {
    throw new LabError(
      "missing",
      "disk-full",
      `${size(free)} of disk are free for ${stack.folders.home}; an environment takes up to ${size(needed.dataBytes)}.`,
      "Free some space, or set LAB_HOME to a folder on another disk.",
    );
  }
  const available = availableMemoryBytes();
  if (available < needed.memoryBytes && !isRunning) {
    throw new LabError(
      "missing",
      "memory",
      `${size(available)} of memory are available; an environment takes about ${size(needed.memoryBytes)}.`,
      "End other programs, or stop another stack (./lab down --stack <name>).",
    );
  }
}
