import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";

/** A live instance of a service. */
export interface Endpoint {
  /** Consul's id of the instance. */
  id: string;
  /** `http://host:port` */
  origin: string;
}

export interface WatchOptions {
  /** Consul's HTTP API. */
  consulUrl: string;
  service: string;
  /** Told when the list changes, and when Consul can't be asked (the last list stays in use). */
  onChange?(endpoints: readonly Endpoint[]): void;
  onError?(error: Error): void;
}

/** An entry of `/v1/health/service/<name>` (https://developer.hashicorp.com/consul/api-docs/health). */
interface Entry {
  Node: { Address: string };
  Service: { ID: string; Address: string; Port: number };
}

/** How long Consul holds a query in which nothing changes; it adds up to a sixteenth. */
const waitSeconds = 60;
const firstRetryMs = 100;
const lastRetryMs = 5000;

/**
 * The instances of a service whose checks all pass, kept current by blocking queries: each waits in Consul until something
 * changes (https://developer.hashicorp.com/consul/api-docs/features/blocking).
 */
export class ServiceWatch {
  readonly #options: WatchOptions;
  readonly #stop = new AbortController();
  readonly #dispatcher = new Agent({ headersTimeout: (waitSeconds + 10) * 1000, bodyTimeout: 0 });
  readonly #finished: Promise<void>;
  readonly #firstAnswer = Promise.withResolvers<void>();
  #endpoints: readonly Endpoint[] = [];
  #known = false;

  /** Begins to watch at once. */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#finished = this.#watch();
  }

  /** The last known list. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Whether Consul has answered at all. */
  get isKnown(): boolean {
    return this.#known;
  }

  /** Resolves when Consul has answered for the first time. */
  get firstAnswer(): Promise<void> {
    return this.#firstAnswer.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    await this.#dispatcher.destroy();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    let index = 0;
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      try {
        const answer = await this.#ask(index);
        // An index that goes back means that Consul lost its history; one below 1 would not block.
        index = answer.index < index ? 0 : Math.max(1, answer.index);
        retryMs = firstRetryMs;
        this.#known = true;
        this.#replace(answer.endpoints);
        this.#firstAnswer.resolve();
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        this.#options.onError?.(error as Error);
        index = 0;
        // Spread out, so that not all gateways come back in the same moment.
        await delay(retryMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, lastRetryMs);
      }
    }
  }

  async #ask(index: number): Promise<{ index: number; endpoints: Endpoint[] }> {
    const { consulUrl, service } = this.#options;
    const { statusCode, headers, body } = await request(
      new URL(`/v1/health/service/${encodeURIComponent(service)}`, consulUrl),
      {
        query: { passing: true, index, wait: `${waitSeconds}s` },
        dispatcher: this.#dispatcher,
        signal: this.#stop.signal,
      },
    );
    if (statusCode !== 200) {
      throw new Error(`Consul answered ${statusCode}: ${(await body.text()).slice(0, 200)}`);
    }
    const entries = (await body.json()) as Entry[];
    return { index: Number(headers["x-consul-index"]), endpoints: entries.map(endpointOf) };
  }

  #replace(endpoints: Endpoint[]): void {
    endpoints.sort((one, other) => (one.id < other.id ? -1 : 1));
    if (JSON.stringify(endpoints) !== JSON.stringify(this.#endpoints)) {
      this.#endpoints = endpoints;
      this.#options.onChange?.(endpoints);
    }
  }
}

function endpointOf({ Node, Service }: Entry): Endpoint {
  const host = Service.Address || Node.Address;
  return { id: Service.ID, origin: `http://${host.includes(":") ? `[${host}]` : host}:${Service.Port}` };
}
