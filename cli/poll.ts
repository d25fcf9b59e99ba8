import { setTimeout as delay } from "node:timers/promises";
import { LabError } from "./errors.ts";

/** How long Nomad may take to bring something back. */
const recoveryMs = 120_000;
const pollMs = 100;

/**
 * Polls until there is something; errors count as not yet, because what is asked may be what was killed.
 *
 * @throws LabError when there is nothing in time, AbortError when the signal says so
 */
export async function poll<T>(
  what: string,
  look: () => Promise<T | undefined>,
  { withinMs = recoveryMs, signal }: { withinMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    const found = await look().catch(() => undefined);
    if (found !== undefined) {
      return found;
    }
    await delay(pollMs, undefined, { signal });
  }
  throw new LabError(
    "failed",
    "no-recovery",
    `Waited ${withinMs / 1000} s in vain for ${what}.`,
    "./lab status shows what is unhealthy; ./lab up starts what is missing.",
  );
}
