import { setTimeout as delay } from "node:timers/promises";

/** Polls until the condition is true; its errors count as not yet. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  let cause: unknown;
  while (Date.now() < end) {
    try {
      if (await condition()) {
        return;
      }
    } catch (error) {
      cause = error;
    }
    await delay(50);
  }
  throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`, { cause });
}
