import { type Dispatcher, request } from "undici";
import { Backoff } from "./backoff.ts";
import { blockingDispatcher, followIndex, waitSeconds } from "./blocking-query.ts";
import { type Endpoint, originOf, weightOf } from "./endpoint.ts";
import { type WatchCallbacks, WatchedList } from "./source.ts";

export interface WatchOptions extends WatchCallbacks {
  /** Consul's HTTP API. */
  consulUrl: string;
  service: string;
}

/** An entry of `/v1/health/service/<name>` (https://developer.hashicorp.com/consul/api-docs/health). */
interface Entry {
  Node: { Address: string };
  Service: { ID: string; Address: string; Port: number; Meta: Record<string, string> | null };
}

interface Answer {
  index: number;
  /** Whether the server that answered may have missed what is new. */
  isOld: boolean;
  endpoints: Endpoint[];
}

const firstRetryMs = 100;
const lastRetryMs = 5000;
/** What a server that isn't the leader says is taken when it has heard of the leader in this time. */
const maxStaleMs = 5000;

/**
 * The instances of a service whose checks all pass, kept current by blocking queries: each waits in Consul until something
 * changes (https://developer.hashicorp.com/consul/api-docs/features/blocking). Any server may answer
 * (https://developer.hashicorp.com/consul/api-docs/features/consistency); the leader is asked only when one is behind.
 */
export class ServiceWatch extends WatchedList {
  readonly #options: WatchOptions;
  readonly #stop = new AbortController();
  readonly #dispatcher = blockingDispatcher();
  readonly #finished: Promise<void>;

  /** Begins to watch at once. */
  constructor(options: WatchOptions) {
    super(options);
    this.#options = options;
    this.#finished = followIndex({
      ask: (index) => this.#ask(index),
      take: ({ endpoints }) => this.replace(endpoints),
      onError: (error) => this.fail(error),
      backoff: new Backoff(firstRetryMs, lastRetryMs),
      signal: this.#stop.signal,
    });
  }

  /** Whether Consul has answered at all. */
  get isKnown(): boolean {
    return this.status.isKnown;
  }

  override async close(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    await this.#dispatcher.destroy();
    await super.close();
  }

  async #ask(index: number): Promise<Answer> {
    const wait = this.isHolding ? "1s" : `${waitSeconds}s`;
    const answer = await this.#query({ index, wait, stale: true });
    if (!answer.isOld) {
      return answer;
    }
    // What is old is better than nothing, but not than what is known.
    if (!this.isKnown) {
      this.replace(answer.endpoints);
    }
    return this.#query({ consistent: true });
  }

  async #query(query: Record<string, unknown>): Promise<Answer> {
    const { consulUrl, service } = this.#options;
    const { statusCode, headers, body } = await request(
      new URL(`/v1/health/service/${encodeURIComponent(service)}`, consulUrl),
      { query: { passing: true, ...query }, dispatcher: this.#dispatcher, signal: this.#stop.signal },
    );
    if (statusCode !== 200) {
      throw new Error(`Consul answered ${statusCode}: ${(await body.text()).slice(0, 200)}`);
    }
    const entries = (await body.json()) as Entry[];
    return {
      index: Number(headers["x-consul-index"]),
      isOld: isOld(headers),
      endpoints: entries.map(endpointOf),
    };
  }
}

function isOld(headers: Dispatcher.ResponseData["headers"]): boolean {
  return (
    headers["x-consul-knownleader"] === "false" || Number(headers["x-consul-lastcontact"] ?? 0) > maxStaleMs
  );
}

function endpointOf({ Node, Service }: Entry): Endpoint {
  const meta = Service.Meta ?? {};
  return {
    id: Service.ID,
    origin: originOf(Service.Address || Node.Address, Service.Port),
    weight: weightOf(meta.weight),
    meta,
  };
}
