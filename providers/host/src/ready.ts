import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

/** When a process counts as ready. */
export const readinessSchema = z.strictObject({
  /** A URL that answers with a status from 200 to 299. */
  http: z.url().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  /** `host:port` that takes connections. */
  tcp: z
    .string()
    .regex(/^.+:\d+$/, "must be host:port")
    .optional(),
  timeoutMs: z.number().int().positive().default(60_000),
});

export type Readiness = z.infer<typeof readinessSchema>;

const pollMs = 50;
const probeTimeoutMs = 2000;

/**
 * Waits until the process is ready.
 *
 * @param ended says why the process can't become ready any more, once it can't
 * @throws Error after `timeoutMs`, when the process has ended, or when the signal is aborted
 */
export async function untilReady(
  ready: Readiness,
  ended: () => string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + ready.timeoutMs;
  while (!(await isReady(ready))) {
    signal.throwIfAborted();
    const reason = ended();
    if (reason !== undefined) {
      throw new Error(reason);
    }
    if (Date.now() > deadline) {
      throw new Error(`It did not answer at ${ready.http ?? ready.tcp} within ${ready.timeoutMs / 1000} s.`);
    }
    await delay(pollMs);
  }
}

async function isReady(ready: Readiness): Promise<boolean> {
  return (
    (!ready.http || (await answers(ready.http, ready.headers))) && (!ready.tcp || (await accepts(ready.tcp)))
  );
}

async function answers(url: string, headers: Record<string, string>): Promise<boolean> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(probeTimeoutMs) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function accepts(address: string): Promise<boolean> {
  const separator = address.lastIndexOf(":");
  return new Promise((resolve) => {
    const socket = connect({
      host: address.slice(0, separator),
      port: Number(address.slice(separator + 1)),
      timeout: probeTimeoutMs,
    });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}
