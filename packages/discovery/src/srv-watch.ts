import { Resolver } from "node:dns/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type Endpoint, originOf, weightOf } from "./endpoint.ts";
import { type WatchCallbacks, WatchedList } from "./source.ts";

export interface SrvWatchOptions extends WatchCallbacks {
  /** The DNS server, as `host:port`. */
  server: string;
  /** The name of the SRV records, such as `user.service.consul`. */
  name: string;
  /** Between two questions. */
  intervalMs?: number;
}

/** What a server answers when there is no such record: it was asked, and there is no instance. */
const noRecord = new Set(["ENOTFOUND", "ENODATA"]);

/**
 * The instances of a service by its SRV records (RFC 2782). DNS tells nobody of a change, and Consul's answers may not be kept
 * (TTL 0), so the question is asked again and again. Consul must be run with `dns_config { enable_truncate = true }`: its answers
 * over UDP hold three instances, drawn anew each time, and only then do they say that there are more.
 */
export class SrvWatch extends WatchedList {
  readonly #options: SrvWatchOptions;
  readonly #resolver = new Resolver({ timeout: 1000, tries: 2 });
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;

  /** Begins to watch at once. */
  constructor(options: SrvWatchOptions) {
    super(options);
    this.#options = options;
    this.#resolver.setServers([options.server]);
    this.#finished = this.#watch();
  }

  override async close(): Promise<void> {
    this.#stop.abort();
    this.#resolver.cancel();
    await this.#finished;
    await super.close();
  }

  async #watch(): Promise<void> {
    const { intervalMs = 1000 } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.replace(await this.#ask());
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        this.fail(error as Error);
      }
      await delay(intervalMs * (0.9 + Math.random() / 5), undefined, { signal }).catch(() => undefined);
    }
  }

  async #ask(): Promise<Endpoint[]> {
    const records = await this.#resolver.resolveSrv(this.#options.name).catch(noneOf);
    const first = Math.min(...records.map(({ priority }) => priority));
    const usable = records.filter(({ priority }) => priority === first);
    const names = [...new Set(usable.map(({ name }) => name))];
    const addresses = new Map(
      await Promise.all(names.map(async (name) => [name, await this.#addressOf(name)] as const)),
    );
    const endpoints = usable.map(({ name, port, weight }) => {
      const origin = originOf(addresses.get(name) as string, port);
      return { id: origin.slice("http://".length), origin, weight: weightOf(weight), meta: {} };
    });
    return [...new Map(endpoints.map((endpoint) => [endpoint.id, endpoint])).values()];
  }

  /** An instance has one address; those of several families or networks are several ways to it. */
  async #addressOf(name: string): Promise<string> {
    const [address = (await this.#resolver.resolve6(name))[0]] = await this.#resolver
      .resolve4(name)
      .catch(noneOf);
    if (address === undefined) {
      throw new Error(`${name} has no address`);
    }
    return address;
  }
}

function noneOf(error: NodeJS.ErrnoException): never[] {
  if (noRecord.has(error.code ?? "")) {
    return [];
  }
  throw error;
}
