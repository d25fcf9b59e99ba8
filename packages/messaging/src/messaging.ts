import { type Logger, measure } from "@lab/service-kit";
import { encodeEvent } from "./cloud-event.ts";
import { Connection } from "./connection.ts";
import type { MessagingEnvironment } from "./environment.ts";
import { MessagingAwayError } from "./errors.ts";
import { type ShopEvent, subjectOf } from "./event.ts";
import type { EventType } from "./event-types.ts";
import { published } from "./metrics.ts";
import { allPartitions } from "./names.ts";
import { PartitionConsumer } from "./partition-consumer.ts";
import { publish } from "./publisher.ts";

/** What handles each type of event. */
export type Handlers = { [T in EventType]?: (event: ShopEvent<T>) => Promise<void> };

export interface ConsumeOptions {
  /** The service: all its instances share one place in each partition. */
  name: string;
  /**
   * An event is acknowledged once its handler has resolved. It may come again all the same, and then with the same id:
   * a handler's effects must be the same for the second time (`handleOnce` of `@lab/mysql`).
   */
  handlers: Handlers;
  /**
   * Whether an error means that something is away. Then the event is tried again for ever, and its partition waits;
   * after any other error it is tried five times and becomes a dead letter. `MessagingAwayError` always means that.
   */
  isTransient?(error: unknown): boolean;
  /**
   * How long NATS waits for word of an instance before another gets the event that it had in hand. 5 s by default.
   */
  ackWaitMs?: number;
}

/** A service's consumption of events. */
export interface Consumer {
  /** Takes no more events, and finishes those in hand. */
  close(): Promise<void>;
}

/** Events over NATS JetStream. */
export class Messaging {
  readonly #connection: Connection;
  readonly #log: Logger;
  readonly #consumers = new Set<Consumer>();

  constructor(connection: Connection, log: Logger) {
    this.#connection = connection;
    this.#log = log;
  }

  /**
   * Publishes an event, and resolves once JetStream has stored it. The same event again within two minutes is stored once.
   *
   * @throws MessagingAwayError when there was no acknowledgement: the event may be stored, or not
   */
  async publish(event: ShopEvent): Promise<void> {
    const { headers, payload } = encodeEvent(event);
    const options = { msgID: event.id, headers };
    const stop = published.startTimer({ type: event.type });
    try {
      await measure("nats", () => publish(this.#connection, subjectOf(event), payload, options));
      stop({ outcome: "stored" });
    } catch (error) {
      stop({ outcome: "failed" });
      throw error;
    }
  }

  /** @throws MessagingAwayError when NATS is not connected */
  async check(): Promise<void> {
    if (!this.#connection.link) {
      throw new MessagingAwayError("NATS is not connected.");
    }
  }

  /** Begins to handle events, as soon as NATS is there. */
  consume({ name, handlers, isTransient = () => false, ackWaitMs = 5000 }: ConsumeOptions): Consumer {
    const partitions = allPartitions.map(
      (partition) =>
        new PartitionConsumer({
          connection: this.#connection,
          log: this.#log,
          name,
          partition,
          types: Object.keys(handlers),
          handle: (event) => handlerOf(handlers, event.type)(event),
          isTransient,
          ackWaitMs,
        }),
    );
    const consumer = {
      close: async () => {
        this.#consumers.delete(consumer);
        await Promise.all(partitions.map((partition) => partition.close()));
      },
    };
    this.#consumers.add(consumer);
    return consumer;
  }

  /** Closes the consumers, then the connection. */
  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#connection.close();
  }
}

/**
 * Connects to NATS in the background, again for ever; returns at once, whether NATS is there or not.
 *
 * @param name of the process, for the server's list of connections
 */
export function connectMessaging(options: {
  environment: MessagingEnvironment;
  name: string;
  log: Logger;
}): Messaging {
  const { environment, name, log } = options;
  return new Messaging(new Connection(environment, name, log), log);
}

function handlerOf(handlers: Handlers, type: EventType): (event: ShopEvent) => Promise<void> {
  const handler = handlers[type] as ((event: ShopEvent) => Promise<void>) | undefined;
  if (!handler) {
    throw new Error(`There is no handler for ${type}.`);
  }
  return handler;
}
