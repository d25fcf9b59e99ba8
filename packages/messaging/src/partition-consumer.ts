import { type Logger, runWork } from "@lab/service-kit";
import {
  AckPolicy,
  type ConsumerInfo,
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiError,
  type JsMsg,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { backoffMs, pause } from "./backoff.ts";
import { decodeEvent } from "./cloud-event.ts";
import type { Connection, Link } from "./connection.ts";
import { deadLetterHeadersOf } from "./dead-letter.ts";
import { Delivery } from "./delivery.ts";
import { MessagingAwayError } from "./errors.ts";
import type { ShopEvent } from "./event.ts";
import { handled, redelivered } from "./metrics.ts";
import { deadLetterSubject, durableOf, shopStream, subjectIn } from "./names.ts";
import { publish } from "./publisher.ts";
import { isStreamMissing } from "./streams.ts";

/** What handles a partition's events. */
export interface PartitionOptions {
  connection: Connection;
  log: Logger;
  /** The service, whose instances share the durable consumers. */
  name: string;
  partition: number;
  types: string[];
  handle(event: ShopEvent): Promise<void>;
  isTransient(error: unknown): boolean;
  /** How long the server waits for word of an instance before it gives its message to another. */
  ackWaitMs: number;
}

/** What became of a delivery: `later` is for it to come again. */
type Outcome = "done" | "later" | "dead letter";

const maxAttempts = 5;
const firstRetryMs = 100;
const maxRetryMs = 3000;
/**
 * How often an event that an instance has no handler for is left to the others: for as long as an update may take. Then there is
 * nobody who handles it.
 */
const maxPasses = 100;

/** The server's number for a durable consumer that is there with another configuration. */
const consumerExists = 10148;

/** What the client says when the durable consumer, or its stream, is no longer there. */
const endings = new Set([
  "consumer_deleted",
  "consumer_not_found",
  "stream_not_found",
  "no_responders",
  "heartbeats_missed",
]);

/** Pulls one partition's events, one at a time, until it is closed. */
export class PartitionConsumer {
  readonly #options: PartitionOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #messages: ConsumerMessages | undefined;

  constructor(options: PartitionOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Pulls no more, and waits for the event in hand. One that waits to be tried again is given back. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#messages?.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { connection, log, name, partition } = this.#options;
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      const link = await connection.connected(this.#closing.signal);
      if (!link) {
        break;
      }
      try {
        this.#messages = await this.#open(link);
        failures = 0;
        if (this.#closing.signal.aborted) {
          this.#messages.stop();
        }
        for await (const message of this.#messages) {
          await this.#receive(message);
          if (this.#closing.signal.aborted) {
            break;
          }
        }
      } catch (error) {
        failures++;
        log.warn(
          { err: error, consumer: durableOf(name, partition) },
          "a partition's events don't come; trying on",
        );
      }
      await pause(backoffMs(failures, firstRetryMs, maxRetryMs), this.#closing.signal);
    }
  }

  async #open(link: Link): Promise<ConsumerMessages> {
    const info = await this.#durable(link);
    const messages = await link.client.consumers.getConsumerFromInfo(info).consume({
      // The next one is asked for only after this one: an instance that is busy leaves it to the others.
      max_messages: 1,
      abort_on_missing_resource: true,
    });
    void stopAtEnding(messages);
    return messages;
  }

  /** The durable consumer: made when it is missing, and told what this instance handles. */
  async #durable({ manager, ensureStreams }: Link): Promise<ConsumerInfo> {
    const { name, partition, types, ackWaitMs } = this.#options;
    const durable = durableOf(name, partition);
    const configuration = {
      durable_name: durable,
      filter_subjects: types.map((type) => subjectIn(partition, type)).sort(),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ackWaitMs),
      // The partition's order: nothing is delivered while an earlier message is in hand or waits to be tried again.
      max_ack_pending: 1,
      max_deliver: -1,
    };
    try {
      return await manager.consumers.add(shopStream, configuration);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === consumerExists) {
        const info = await manager.consumers.info(shopStream, durable);
        // What another release handles stays, and one who knows nothing new writes nothing: an instance of the older one that
        // restarts during an update would undo what a newer one has brought, and its events would be passed over.
        const filters = new Set([...filtersOf(info), ...configuration.filter_subjects]);
        return filters.size === filtersOf(info).length && info.config.ack_wait === configuration.ack_wait
          ? info
          : await manager.consumers.update(shopStream, durable, {
              ...configuration,
              filter_subjects: [...filters].sort(),
            });
      }
      if (isStreamMissing(error)) {
        await ensureStreams();
      }
      throw error;
    }
  }

  async #receive(message: JsMsg): Promise<void> {
    const { connection, log, name, types, ackWaitMs } = this.#options;
    const type = typeIn(message.subject);
    if (message.redelivered) {
      redelivered.inc({ consumer: name });
    }
    const delivery = new Delivery(message, connection, ackWaitMs, log);
    let outcome: Outcome;
    if (!types.includes(type) && message.info.deliveryCount <= maxPasses) {
      // While a service is updated, instances of the older release get what only the newer one handles.
      log.warn({ subject: message.subject }, "an event is left to an instance that handles its type");
      await delivery.retry(maxRetryMs);
      outcome = "later";
    } else {
      outcome = await this.#read(delivery);
      if (!types.includes(type) && outcome === "dead letter") {
        await this.#forget(message.subject);
      }
    }
    handled.inc({ consumer: name, type, outcome });
  }

  /** Leaves a type out from now on: each of its events would keep the partition waiting as long as this one. */
  async #forget(subject: string): Promise<void> {
    const { connection, log, name, partition } = this.#options;
    log.warn({ subject }, "no instance handles this type of event; the service hears it no more");
    const durable = durableOf(name, partition);
    const link = await connection.connected(this.#closing.signal);
    if (link) {
      const filters = filtersOf(await link.manager.consumers.info(shopStream, durable));
      await link.manager.consumers.update(shopStream, durable, {
        filter_subjects: filters.filter((one) => one !== subject),
      });
    }
  }

  async #read(delivery: Delivery): Promise<Outcome> {
    const { log } = this.#options;
    const { message } = delivery;
    let event: ShopEvent;
    try {
      event = decodeEvent(message);
    } catch (error) {
      log.error({ subject: message.subject, sequence: message.seq, err: error }, "a message is no event");
      return await this.#giveUp(delivery, error, 1);
    }
    return await runWork({ traceparent: event.traceparent, log }, async (work) => {
      const startedMs = performance.now();
      const outcome = await this.#attempt(delivery, event, work.log);
      const { id, type } = event;
      const durationMs = Math.round((performance.now() - startedMs) * 100) / 100;
      const attempt = message.info.deliveryCount;
      work.log.info({ event: id, type, outcome, durationMs, attempt, stores: work.stores }, "event");
      return outcome;
    });
  }

  async #attempt(delivery: Delivery, event: ShopEvent, log: Logger): Promise<Outcome> {
    const about = { event: event.id, type: event.type };
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#options.handle(event);
        break;
      } catch (error) {
        if (error instanceof MessagingAwayError || this.#options.isTransient(error)) {
          const delayMs = backoffMs(delivery.message.info.deliveryCount, firstRetryMs, maxRetryMs);
          log.warn({ ...about, delayMs, err: error }, "what an event needs is away; it will be tried again");
          await delivery.retry(delayMs);
          return "later";
        }
        log.error({ ...about, attempt, err: error }, "an event could not be handled");
        if (attempt === maxAttempts) {
          return await this.#giveUp(delivery, error, attempt);
        }
        await pause(backoffMs(attempt, firstRetryMs, maxRetryMs), this.#closing.signal);
        if (this.#closing.signal.aborted) {
          await delivery.retry(0);
          return "later";
        }
      }
    }
    await delivery.acknowledge();
    return "done";
  }

  /** Copies a message to the dead letters; only once it is there, it is terminated. */
  async #giveUp(delivery: Delivery, error: unknown, attempts: number): Promise<Outcome> {
    const { connection, log, name } = this.#options;
    const { message } = delivery;
    try {
      await publish(connection, deadLetterSubject(name, typeIn(message.subject)), message.data, {
        msgID: `${name}/${message.seq}/${message.info.timestampNanos}`,
        headers: deadLetterHeadersOf(message, name, error, attempts),
      });
    } catch (cause) {
      log.warn({ err: cause }, "a dead letter could not be written; the event will be tried again");
      await delivery.retry(maxRetryMs);
      return "later";
    }
    await delivery.terminate();
    return "dead letter";
  }
}

/** The type in a subject: `order.placed.v1` in `shop.3.order.placed.v1`. */
function typeIn(subject: string): string {
  return subject.split(".").slice(2).join(".");
}

function filtersOf({
  config: { filter_subject: single, filter_subjects: several = [] },
}: ConsumerInfo): string[] {
  return single ? [single] : several;
}

async function stopAtEnding(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) {
    if (endings.has(type)) {
      messages.stop(new Error(`The consumer is gone: ${type}`));
    }
  }
}
