import { setTimeout as delay } from "node:timers/promises";

/** Calls `attempt` until it succeeds; the last error is thrown once `deadlineMs` has passed. */
export async function untilReady<T>(attempt: () => Promise<T>, deadlineMs: number): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() >= end) {
        throw error;
      }
      await delay(250);
    }
  }
}

/** The value of an environment variable that the job must set. */
export function required(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`Set ${name}: it is missing from this task's environment.`);
  }
  return value;
}
