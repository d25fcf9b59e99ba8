import { setTimeout as delay } from "node:timers/promises";

/** How long to wait after so many failures in a row, in ms: twice as long each time, up to a limit. */
export function backoffMs(failures: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.max(0, failures - 1));
}

/** Waits, or less when the signal says so. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
