import type { Logger } from "@lab/service-kit";
import type { JsMsg } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Connection } from "./connection.ts";

const slowMs = 60_000;

/**
 * A message in hand. While it is, the server is told again and again, so that it doesn't give it to another instance; an
 * instance that could not tell it for too long no longer has it, and doesn't answer for it.
 */
export class Delivery {
  readonly message: JsMsg;
  readonly #connection: Connection;
  readonly #ackWaitMs: number;
  readonly #log: Logger;
  readonly #beat: NodeJS.Timeout;
  /** Where the server waits for the answer. The client's own `ack()` would send it over the connection that the message came by, which may be lost by now. */
  readonly #reply: string;
  readonly #startedMs = performance.now();
  #confirmedMs = performance.now();
  #isWarned = false;

  constructor(message: JsMsg, connection: Connection, ackWaitMs: number, log: Logger) {
    this.message = message;
    this.#reply = (message as JsMsg & { reply: string }).reply;
    this.#connection = connection;
    this.#ackWaitMs = ackWaitMs;
    this.#log = log;
    this.#beat = setInterval(() => void this.#work(), ackWaitMs / 3);
  }

  /** It is done, and the next one may come. */
  acknowledge(): Promise<void> {
    return this.#answer("+ACK");
  }

  /** It is not done: this or another instance is to have it after the delay. Those behind it wait. */
  retry(delayMs: number): Promise<void> {
    return this.#answer(delayMs > 0 ? `-NAK ${JSON.stringify({ delay: nanos(delayMs) })}` : "-NAK");
  }

  /** It will never be done. */
  terminate(): Promise<void> {
    return this.#answer("+TERM");
  }

  get #leftMs(): number {
    return this.#confirmedMs + this.#ackWaitMs - performance.now();
  }

  async #work(): Promise<void> {
    const { link } = this.#connection;
    if (this.#leftMs <= 0) {
      clearInterval(this.#beat);
    } else if (link) {
      const sentMs = performance.now();
      try {
        await link.nats.request(this.#reply, "+WPI", { timeout: this.#ackWaitMs / 3 });
        this.#confirmedMs = sentMs;
      } catch {
        // The next beat may arrive.
      }
    }
    if (!this.#isWarned && performance.now() - this.#startedMs > slowMs) {
      this.#isWarned = true;
      this.#log.warn(
        { subject: this.message.subject },
        "an event keeps its partition waiting for a long time",
      );
    }
  }

  async #answer(answer: string): Promise<void> {
    clearInterval(this.#beat);
    const leftMs = Math.floor(this.#leftMs);
    const link =
      leftMs > 0
        ? (this.#connection.link ?? (await this.#connection.connected(AbortSignal.timeout(leftMs))))
        : undefined;
    if (link) {
      link.nats.publish(this.#reply, answer);
    } else {
      this.#log.warn(
        { subject: this.message.subject, sequence: this.message.seq },
        "an event was in hand for too long without word to NATS, and will be delivered again",
      );
    }
  }
}
