import { setTimeout as delay } from "node:timers/promises";
import { Agent, type Dispatcher } from "undici";
import type { Backoff } from "./backoff.ts";

/** How long Consul holds a query in which nothing changes; it adds up to a sixteenth. A frozen one is noticed after it. */
export const waitSeconds = 16;
const graceSeconds = 3;
/** After an answer with nothing new, so that a server that doesn't hold queries isn't asked without end. */
const idlePauseMs = 100;

export interface BlockingQuery<A extends { index: number }> {
  /** Asks for what is newer than `index`; 0 asks for what there is. */
  ask(index: number): Promise<A>;
  /** @returns whether the answer holds anything new */
  take(answer: A): boolean;
  /** Consul can't be asked; it is asked again after a pause. */
  onError(error: Error): void;
  backoff: Backoff;
  /** Ends it. */
  signal: AbortSignal;
}

/**
 * Asks Consul again and again, each time for what is newer than the last answer
 * (https://developer.hashicorp.com/consul/api-docs/features/blocking). Resolves when it is ended.
 */
export async function followIndex<A extends { index: number }>({
  ask,
  take,
  onError,
  backoff,
  signal,
}: BlockingQuery<A>): Promise<void> {
  let index = 0;
  while (!signal.aborted) {
    try {
      const answer = await ask(index);
      // An index that goes back means that Consul lost its history; one below 1 would not block.
      index = answer.index < index ? 0 : Math.max(1, answer.index);
      backoff.reset();
      if (!take(answer)) {
        await delay(idlePauseMs, undefined, { signal });
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      onError(error as Error);
      index = 0;
      await delay(backoff.next(), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Connections that wait as long as Consul may hold a query, and not much longer. */
export function blockingDispatcher(): Dispatcher {
  return new Agent({
    headersTimeout: (waitSeconds * (1 + 1 / 16) + graceSeconds) * 1000,
    bodyTimeout: graceSeconds * 1000,
  });
}
