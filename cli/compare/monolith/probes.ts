import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { LabError } from "../../errors.ts";
import { labAddress } from "../../lab-address.ts";
import type { CurrentToken } from "../../shop-client.ts";
import { type Outage, outageOf, type Sample } from "./outage.ts";

/** The part of the shop that a service answers for, and a request for it that changes nothing. */
export interface Route {
  service: string;
  path: string;
}

const noSuchOrder = "00000000-0000-7000-8000-000000000000";

/** One request for each service with a part of the shop; what isn't there is an answer too. */
export const routes: readonly Route[] = [
  { service: "user", path: "/api/users/me" },
  { service: "product", path: "/api/products?limit=1" },
  { service: "cart", path: "/api/cart/me" },
  { service: "order", path: "/api/orders?limit=1" },
  { service: "payment", path: `/api/payments/${noSuchOrder}` },
  { service: "notification", path: "/api/notifications?limit=1" },
  { service: "analytics", path: "/api/analytics/rows/none" },
  { service: "social", path: "/api/social/people/1/friends" },
];

/** How often each route is asked. */
const everyMs = 50;
/** After that a request counts as not answered. */
const patienceMs = 2000;
/** So many answers in a row, on each route, end the watch. */
const calm = 10;
const deadlineMs = 120_000;

/** Asks all routes of a shop again and again, whether the last request was answered or not. */
export class Probes {
  readonly #samples = new Map<string, Sample[]>(routes.map(({ service }) => [service, []]));
  readonly #agent = new Agent({ connections: 64, localAddress: labAddress });
  readonly #stop = new AbortController();
  readonly #open = new Set<Promise<void>>();
  readonly #baseOf: () => string | undefined;
  readonly #tokenOf: CurrentToken;
  readonly #running: Promise<void>;

  /**
   * @param baseOf where the shop answers to the next request; without an answer there is nowhere to send it
   * @param tokenOf of one who may ask for all of it, as the shop takes it there
   */
  constructor(baseOf: () => string | undefined, tokenOf: CurrentToken) {
    this.#baseOf = baseOf;
    this.#tokenOf = tokenOf;
    this.#running = this.#run();
  }

  /**
   * Waits until every route has been answered many times in a row.
   *
   * @throws AbortError when the signal says so, LabError when that takes too long
   */
  async untilCalm(signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    const sinceMs = performance.now();
    for (;;) {
      const restless = routes.filter(({ service }) => !isCalm(this.#samplesOf(service), sinceMs));
      if (restless.length === 0) {
        return;
      }
      if (performance.now() > endMs) {
        const names = restless.map(({ service }) => service).join(", ");
        throw new LabError(
          "failed",
          "no-recovery",
          `At ${this.#baseOf()} these were not answered for ${deadlineMs / 1000} s: ${names}.`,
          "./lab status shows what is unhealthy; ./lab up starts what is missing.",
        );
      }
      await delay(everyMs, undefined, { signal });
    }
  }

  /** Leaves out of account what has been asked so far. */
  forget(): void {
    for (const samples of this.#samples.values()) {
      samples.length = 0;
    }
  }

  /** What each route's customers have noticed, by service. */
  outages(): Record<string, Outage> {
    return Object.fromEntries(routes.map(({ service }) => [service, outageOf(this.#samplesOf(service))]));
  }

  /** Stops asking, and waits for the last answers. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#open);
    await this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for (const route of routes) {
        const asked: Promise<void> = this.#ask(route).finally(() => this.#open.delete(asked));
        this.#open.add(asked);
      }
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #ask({ service, path }: Route): Promise<void> {
    const atMs = performance.now();
    let isAnswered = false;
    try {
      const { statusCode, body } = await request(new URL(path, this.#baseOf()), {
        dispatcher: this.#agent,
        headers: { authorization: `Bearer ${await this.#tokenOf()}` },
        signal: AbortSignal.timeout(patienceMs),
      });
      await body.dump();
      // Too many of them would measure the limit.
      isAnswered = statusCode < 500 && statusCode !== 429;
    } catch {
      // No token, no connection, or no answer in time.
    }
    this.#samplesOf(service).push({ atMs, isAnswered });
  }

  #samplesOf(service: string): Sample[] {
    return this.#samples.get(service) as Sample[];
  }
}

/** Whether the last requests since then were all answered, and enough of them. */
function isCalm(samples: readonly Sample[], sinceMs: number): boolean {
  const last = samples.slice(-calm);
  return last.length === calm && last.every(({ atMs, isAnswered }) => isAnswered && atMs >= sinceMs);
}
