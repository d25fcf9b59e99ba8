import { readProc } from "../../providers/host/src/identity.ts";
import { processesOf } from "../../providers/host/src/stop.ts";

/**
 * Memory of all processes of a stack, in bytes: the sum of their proportional set sizes, in which a page that several share
 * counts once in all (proc(5), `smaps_rollup`).
 */
export function residentBytes(stackFolder: string): number {
  return processesOf(stackFolder)
    .map(residentBytesOf)
    .reduce((sum, bytes) => sum + bytes, 0);
}

/** The same of one process; 0 when it is gone. */
export function residentBytesOf(pid: number): number {
  return Number(readProc(pid, "smaps_rollup")?.match(/^Pss:\s+(\d+) kB/m)?.[1] ?? 0) * 1024;
}
