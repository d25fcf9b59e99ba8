import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "@lab/discovery";
import { Agent, request } from "undici";

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

/** How long Consul holds a query in which nothing changes; it adds up to a sixteenth. A frozen one is noticed after it. */
const waitSeconds = 16;
const graceSeconds = 3;
const firstRetryMs = 200;
const lastRetryMs = 5000;
/** After an answer with nothing new, so that a server that doesn't hold queries isn't asked without end. */
const idlePauseMs = 100;

/** A key in Consul's store, followed by blocking queries (https://developer.hashicorp.com/consul/api-docs/kv). */
export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff(firstRetryMs, lastRetryMs);
  readonly #dispatcher = new Agent({
    headersTimeout: (waitSeconds * (1 + 1 / 16) + graceSeconds) * 1000,
  });
  readonly #finished: Promise<void>;
  readonly #firstAnswer = Promise.withResolvers<void>();
  #seenIndex = -1;

  /** Begins to watch at once. */
  constructor(options: PolicyWatchOptions) {
    this.#options = options;
    this.#finished = this.#watch();
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
    while (!signal.aborted) {
      try {
        const answer = await this.#ask(index);
        index = answer.index < index ? 0 : Math.max(1, answer.index);
        this.#backoff.reset();
        if (answer.index !== this.#seenIndex) {
          this.#seenIndex = answer.index;
          this.#options.onValue(answer.text, answer.index);
          this.#firstAnswer.resolve();
        } else {
          await delay(idlePauseMs, undefined, { signal });
        }
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        this.#options.onError(error as Error);
        index = 0;
        await delay(this.#backoff.next(), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #ask(index: number): Promise<{ index: number; text: string | undefined }> {
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
