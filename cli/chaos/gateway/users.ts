import { setTimeout as delay } from "node:timers/promises";
import type { Shoppers } from "../../load/shoppers.ts";
import { pick, seededRandom } from "../../seed/random.ts";
import type { Caller } from "../../shop-client.ts";
import { customerRequests, type Kind, visitorRequests } from "./requests.ts";
import type { Asked } from "./verdict.ts";

/** Of so many users one has not logged in. */
const visitorEach = 4;
/** How long somebody looks at an answer. */
const shortestPauseMs = 50;
const pauseRangeMs = 500;
/** Nobody waits longer for an answer. */
const patienceMs = 20_000;

/**
 * Lets users make one request after another, all of them at once, until it is over; each over connections of their own.
 *
 * @param asked is added to as requests end
 * @param isOver whether nobody begins another request
 * @param signal ends it early, requests under way included
 */
export async function useShop(
  { people, clients, lines }: Shoppers,
  { seed, asked, isOver }: { seed: number; asked: Asked[]; isOver: () => boolean },
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    people.map(async (person, index) => {
      const isVisitor = index % visitorEach === visitorEach - 1;
      const caller = isVisitor ? (clients[index]?.nobody ?? person) : person;
      const kinds = isVisitor ? visitorRequests(lines) : customerRequests(lines);
      const often = kinds.flatMap((kind) => Array.from({ length: kind.weight }, () => kind));
      const random = seededRandom(seed + index);
      while (!isOver()) {
        await delay(shortestPauseMs + Math.floor(random() * pauseRangeMs), undefined, { signal });
        asked.push(await ask(caller, pick(random, often), signal));
      }
    }),
  );
}

async function ask(caller: Caller, kind: Kind, signal: AbortSignal): Promise<Asked> {
  const { service, method, path, options, isRepeatable } = kind;
  const atMs = performance.now();
  const about = { service, what: `${method} ${path}`, isRepeatable, atMs };
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    const { status, body } = await caller.send(method, path, { ...options?.(), signal: patience });
    const why = status < 400 ? undefined : (body as { detail?: string } | undefined)?.detail;
    return { ...about, endMs: performance.now(), status, why };
  } catch (error) {
    signal.throwIfAborted();
    return { ...about, endMs: performance.now(), status: 0, why: (error as Error).message };
  }
}
