import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import { Backoff } from "./backoff.ts";

export interface RegistrationOptions {
  /** Consul's HTTP API: that of the agent on this machine, which vouches for the instance. */
  consulUrl: string;
  /** Needs `service:write` on the name. */
  token?: string;
  /** Different for each instance. */
  id: string;
  /** The service. */
  name: string;
  address: string;
  port: number;
  /** How much it takes beside other instances, from 1 on. */
  weight?: number;
  tags?: string[];
  meta?: Record<string, string>;
  /** The instance is out when it hasn't been heard of for so long; it is heard of three times as often. */
  ttlMs?: number;
  /** The registration of one that is out goes after this time; Consul takes a minute at least. */
  deregisterAfterMs?: number;
  /** Told when Consul can't be told; it goes on trying. */
  onError?(error: Error): void;
}

/** A service that has put itself into Consul. */
export interface Registration {
  /** Resolves when Consul knows the instance for the first time. */
  readonly registered: Promise<void>;
  /** Takes it out of Consul. Without a Consul to tell, its registration ends by itself. */
  close(): Promise<void>;
}

const beatsPerTtl = 3;
const firstRetryMs = 100;
const lastRetryMs = 5000;

/**
 * Puts an instance that nobody else registers into Consul, and keeps it there by a heartbeat: a TTL check
 * (https://developer.hashicorp.com/consul/docs/services/usage/checks#ttl-checks). What Consul has forgotten, because it was
 * started anew or the time was over, is registered again. For services that Nomad runs, Nomad does all that.
 */
export function register(options: RegistrationOptions): Registration {
  return new Heartbeat(options);
}

class Heartbeat implements Registration {
  readonly #options: RegistrationOptions;
  readonly #stop = new AbortController();
  readonly #agent = new Agent({ connections: 1 });
  readonly #registered = Promise.withResolvers<void>();
  readonly #finished: Promise<void>;
  readonly #ttlMs: number;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? 15_000;
    this.#finished = this.#beat();
  }

  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    try {
      await this.#put(`/v1/agent/service/deregister/${encodeURIComponent(this.#options.id)}`);
    } catch (error) {
      this.#options.onError?.(error as Error);
    }
    await this.#agent.destroy();
  }

  async #beat(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff(firstRetryMs, lastRetryMs);
    let isKnown = false;
    while (!signal.aborted) {
      let pauseMs = this.#ttlMs / beatsPerTtl;
      try {
        isKnown = isKnown && (await this.#pass());
        if (!isKnown) {
          await this.#put("/v1/agent/service/register?replace-existing-checks=true", this.#registration());
          isKnown = true;
          this.#registered.resolve();
        }
        backoff.reset();
      } catch (error) {
        this.#options.onError?.(error as Error);
        pauseMs = Math.min(pauseMs, backoff.next());
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Says that the instance lives; `false` when Consul knows no such instance. */
  async #pass(): Promise<boolean> {
    return (await this.#put(`/v1/agent/check/pass/${encodeURIComponent(this.#checkId)}`, {}, [404])) !== 404;
  }

  get #checkId(): string {
    return `service:${this.#options.id}`;
  }

  #registration(): object {
    const {
      id,
      name,
      address,
      port,
      weight = 1,
      tags = [],
      meta,
      deregisterAfterMs = 60_000,
    } = this.#options;
    return {
      ID: id,
      Name: name,
      Address: address,
      Port: port,
      Tags: tags,
      // The first is for those who ask the API, the second for those who ask the DNS.
      Meta: { ...meta, weight: String(weight) },
      Weights: { Passing: weight, Warning: 1 },
      Check: {
        CheckID: this.#checkId,
        Name: "heartbeat",
        TTL: `${this.#ttlMs}ms`,
        Status: "passing",
        DeregisterCriticalServiceAfter: `${deregisterAfterMs}ms`,
      },
    };
  }

  async #put(path: string, document: object = {}, expected: readonly number[] = []): Promise<number> {
    const { consulUrl, token } = this.#options;
    const { statusCode, body } = await this.#agent.request({
      origin: consulUrl,
      path,
      method: "PUT",
      headers: { "content-type": "application/json", ...(token && { "x-consul-token": token }) },
      body: JSON.stringify(document),
      signal: AbortSignal.timeout(Math.ceil(this.#ttlMs / beatsPerTtl)),
    });
    const text = await body.text();
    if (statusCode !== 200 && !expected.includes(statusCode)) {
      throw new Error(`Consul answered ${statusCode}: ${text.slice(0, 200)}`);
    }
    return statusCode;
  }
}
