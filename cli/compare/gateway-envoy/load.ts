import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { labAddress } from "../../lab-address.ts";

/** One request, and whether it was answered. */
export interface Sample {
  /** When it was sent, in milliseconds since the load began. */
  atMs: number;
  /** When its answer was there, or was not to come any more. */
  endMs: number;
  isFailed: boolean;
}

/** Where a load goes. */
export interface Aim {
  url: string;
  /** Sent as a Bearer token. */
  token?: string;
}

const tickMs = 5;
/** After that a request has failed. */
const patienceMs = 20_000;

/**
 * Asks all aims in turns at a fixed rate each, whether earlier requests were answered or not: a slow proxy is asked no less often.
 *
 * @param rate requests a second, for each aim
 * @returns the samples of each aim, once all its requests have ended
 */
export async function openLoad(
  aims: readonly Aim[],
  { rate, seconds }: { rate: number; seconds: number },
  signal: AbortSignal,
): Promise<Sample[][]> {
  const agents = aims.map(() => new Agent({ localAddress: labAddress, pipelining: 1 }));
  const samples: Sample[][] = aims.map(() => []);
  const open: Promise<void>[] = [];
  const startedMs = performance.now();
  const total = rate * seconds;
  try {
    for (let sent = 0; sent < total; ) {
      signal.throwIfAborted();
      const due = Math.min(total, Math.floor(((performance.now() - startedMs) * rate) / 1000) + 1);
      for (; sent < due; sent++) {
        for (const [index, aim] of aims.entries()) {
          const atMs = performance.now() - startedMs;
          const asked = isAnswered(aim, agents[index] as Agent);
          const note = (is: boolean) => {
            samples[index]?.push({ atMs, endMs: performance.now() - startedMs, isFailed: !is });
          };
          open.push(asked.then(note));
        }
      }
      await delay(tickMs, undefined, { signal });
    }
    await Promise.all(open);
    return samples;
  } finally {
    await Promise.all(agents.map((agent) => agent.destroy()));
  }
}

async function isAnswered({ url, token }: Aim, dispatcher: Agent): Promise<boolean> {
  try {
    const { statusCode, body } = await request(url, {
      dispatcher,
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(patienceMs),
    });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}
