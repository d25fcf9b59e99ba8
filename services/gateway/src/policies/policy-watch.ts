import { Backoff, blockingDispatcher, followIndex, waitSeconds } from "@lab/discovery";
import { request } from "undici";

export interface PolicyWatchOptions {
  /** Consul's HTTP API. */
  consulUrl: string;
  /** May read the key, where that is not open to everyone. */
  token?: string;
  /** The key in Consul's store. */
  key: string;
  /**
   * Told of each value, as text; `undefined` when there is none.
   *
   * @param index Consul's number of the change
   */
  onValue(text: string | undefined, index: number): void;
  onError(error: Error): void;
}

interface Answer {
  index: number;
  text: string | undefined;
}

const firstRetryMs = 200;
const lastRetryMs = 5000;

/** A key in Consul's store, followed by blocking queries (https://developer.hashicorp.com/consul/api-docs/kv). */
export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  readonly #stop = new AbortController();
  readonly #dispatcher = blockingDispatcher();
  readonly #finished: Promise<void>;
  readonly #firstAnswer = Promise.withResolvers<void>();
  #seenIndex = -1;

  /** Begins to watch at once. */
  constructor(options: PolicyWatchOptions) {
    this.#options = options;
    this.#finished = followIndex({
      ask: (index) => this.#ask(index),
      take: (answer) => this.#take(answer),
      onError: (error) => options.onError(error),
      backoff: new Backoff(firstRetryMs, lastRetryMs),
      signal: this.#stop.signal,
    });
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

  #take({ index, text }: Answer): boolean {
    if (index === this.#seenIndex) {
      return false;
    }
    this.#seenIndex = index;
    this.#options.onValue(text, index);
    this.#firstAnswer.resolve();
    return true;
  }

  async #ask(index: number): Promise<Answer> {
    const { consulUrl, key, token } = this.#options;
    const { statusCode, headers, body } = await request(new URL(`/v1/kv/${key}`, consulUrl), {
      query: { raw: true, index, wait: `${waitSeconds}s` },
      headers: token ? { "x-consul-token": token } : {},
      dispatcher: this.#dispatcher,
      signal: this.#stop.signal,
    });
    const text = await body.text();
    if (statusCode !== 200 && statusCode !== 404) {
      throw new Error(`Consul answered ${statusCode}: ${text.slice(0, 200)}`);
    }
    return { index: Number(headers["x-consul-index"]), text: statusCode === 200 ? text : undefined };
  }
}
