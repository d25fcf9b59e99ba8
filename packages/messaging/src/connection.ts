import type { Logger } from "@lab/service-kit";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { backoffMs, pause } from "./backoff.ts";
import type { MessagingEnvironment } from "./environment.ts";
import { inboxPrefixOf } from "./names.ts";
import { ensureStreams } from "./streams.ts";

/** One connection, from its being made until it is lost. */
export interface Link {
  nats: NatsConnection;
  client: JetStreamClient;
  manager: JetStreamManager;
  /** Makes the streams that are missing. */
  ensureStreams(): Promise<void>;
}

const connectTimeoutMs = 2000;
const requestTimeoutMs = 5000;
/** Two of them unanswered end a connection, so that a server that hangs is noticed. */
const pingIntervalMs = 5000;
const maxRetryMs = 1000;
const drainTimeoutMs = 1000;

/**
 * A connection that is made again for ever, in the background. The client's own reconnecting is off: it would keep
 * requests for a server that has forgotten its consumers, and this way each new link begins with the streams in place.
 */
export class Connection {
  readonly #environment: MessagingEnvironment;
  readonly #name: string;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #nats: NatsConnection | undefined;
  #link: Link | undefined;
  #next = Promise.withResolvers<Link | undefined>();

  constructor(environment: MessagingEnvironment, name: string, log: Logger) {
    this.#environment = environment;
    this.#name = name;
    this.#log = log;
    this.#running = this.#run();
  }

  /** The link, if there is one now. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** The link, as soon as there is one; `undefined` once this is closed, or the signal says that it is too late. */
  async connected(signal: AbortSignal): Promise<Link | undefined> {
    if (this.#link || signal.aborted) {
      return this.#link;
    }
    const tooLate = Promise.withResolvers<undefined>();
    const onAbort = () => tooLate.resolve(undefined);
    signal.addEventListener("abort", onAbort);
    try {
      return await Promise.race([this.#next.promise, tooLate.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Sends what is waiting to be sent, and ends the connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#nats) {
      await end(this.#nats);
    }
    await this.#running;
    this.#next.resolve(undefined);
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#live(() => {
          failures = 0;
        });
      } catch (error) {
        if (failures === 0) {
          this.#log.warn({ err: error }, "NATS can't be reached; trying on");
        }
        failures++;
      }
      await pause(backoffMs(failures, 50, maxRetryMs), this.#closing.signal);
    }
  }

  /** Connects, and resolves when the connection has ended. */
  async #live(onConnected: () => void): Promise<void> {
    const { NATS_URL: servers, NATS_USER: user, NATS_PASSWORD: pass } = this.#environment;
    const nats = await connect({
      servers,
      user,
      pass,
      name: this.#name,
      inboxPrefix: inboxPrefixOf(user),
      reconnect: false,
      timeout: connectTimeoutMs,
      pingInterval: pingIntervalMs,
      maxPingOut: 2,
      // A stack for each request costs more than the request; our errors say what was asked for.
      noAsyncTraces: true,
    });
    this.#nats = nats;
    try {
      const options = { timeout: requestTimeoutMs, checkAPI: false };
      const manager = await jetstreamManager(nats, options);
      const link = {
        nats,
        client: jetstream(nats, options),
        manager,
        ensureStreams: () => ensureStreams(manager, this.#log),
      };
      await link.ensureStreams();
      if (this.#closing.signal.aborted) {
        return;
      }
      this.#link = link;
      this.#next.resolve(link);
      onConnected();
      this.#log.info("connected to NATS");
      const cause = await nats.closed();
      if (!this.#closing.signal.aborted) {
        this.#log.warn({ ...(cause ? { err: cause } : {}) }, "the connection to NATS is lost");
      }
    } finally {
      if (this.#link) {
        this.#link = undefined;
        this.#next = Promise.withResolvers();
      }
      this.#nats = undefined;
      await end(nats);
    }
  }
}

/** Sends what is waiting, unless the server hangs. */
async function end(nats: NatsConnection): Promise<void> {
  const drained = new AbortController();
  const drain = nats.drain().catch(() => {});
  await Promise.race([drain, pause(drainTimeoutMs, drained.signal)]);
  drained.abort();
  await nats.close();
}
