import { ServiceAwayError, type ServiceClient } from "@lab/discovery";
import { addToOutbox, type OutboxRelay, transaction } from "@lab/mysql";
import { currentWork, Problem } from "@lab/service-kit";
import type { Pool, PoolConnection } from "mysql2/promise";
import { z } from "zod";
import { moveOrder, stateOf } from "./orders.ts";
import { placedData, tell } from "./outgoing.ts";
import type { Order } from "./schema.ts";

export interface SyncChainOptions {
  pool: Pool;
  relay: Pick<OutboxRelay, "wake">;
  payment: Pick<ServiceClient, "request">;
}

/** What orders get as their reason when nobody could be asked for their payment. */
export const unpaidReason = "It could not be paid.";

/** Payment waits for its provider, and then for notification. */
const timeoutMs = 10_000;

const paymentResult = z.object({
  state: z.enum(["captured", "declined", "voided", "refunded"]),
  reason: z.string().nullable(),
});

/**
 * The synchronous way to go on after an order: payment is asked, and the customer waits until it and notification have
 * answered. What it costs is the point of it: orders are lost to their customers whenever one of the two is away.
 */
export class SyncChain {
  readonly #options: SyncChainOptions;

  constructor(options: SyncChainOptions) {
    this.#options = options;
  }

  /** Has an order paid; one that can't be is declined, with {@link unpaidReason}. */
  async pay(order: Order & { userId: number }): Promise<void> {
    const { pool, relay } = this.#options;
    const { orderId } = order;
    const result = await this.#ask(order);
    await transaction(pool, async (connection) => {
      if (result?.state === "captured") {
        await captured(connection, order);
      } else if (result?.state === "declined") {
        await moveOrder(connection, orderId, "declined", result.reason);
      } else {
        await giveUp(connection, order);
      }
    });
    relay.wake();
  }

  /** What payment says; undefined when it can't be had, or says that it could not be done. */
  async #ask(order: Order & { userId: number }): Promise<z.infer<typeof paymentResult> | undefined> {
    try {
      const { status, body } = await this.#options.payment.request({
        method: "POST",
        path: "/internal/payments",
        body: placedData(order, "sync"),
        timeoutMs,
      });
      return status === 200 ? paymentResult.parse(body) : undefined;
    } catch (error) {
      if (!(error instanceof ServiceAwayError)) {
        throw error;
      }
      currentWork()?.log.warn({ orderId: order.orderId, err: error }, "payment is away");
      return undefined;
    }
  }
}

/** What is known of an order that payment has charged. */
interface Ordered {
  orderId: string;
  userId: number;
}

/** Notes that an order of the synchronous chain is paid; when nobody waits for that any more, the money goes back. */
export async function captured(connection: PoolConnection, { orderId, userId }: Ordered): Promise<void> {
  if ((await stateOf(connection, orderId)) === "declined") {
    await takeBack(connection, { orderId, userId }, "It was paid too late.");
  } else {
    await moveOrder(connection, orderId, "captured");
  }
}

/** The event of a charge may have come before the news that the chain was broken; then the money goes back too. */
async function giveUp(connection: PoolConnection, order: Ordered): Promise<void> {
  const state = await stateOf(connection, order.orderId);
  if (state === "placed") {
    await moveOrder(connection, order.orderId, "declined", unpaidReason);
  } else if (state === "paid" || state === "confirmed") {
    await moveOrder(connection, order.orderId, "cancel", unpaidReason);
    await takeBack(connection, order, unpaidReason);
  }
}

async function takeBack(connection: PoolConnection, order: Ordered, reason: string): Promise<void> {
  const { orderId, userId } = order;
  await addToOutbox(connection, [tell("order.cancelled.v1", { orderId, userId, reason })]);
}

/**
 * Lets all orders through but those that could not be paid.
 *
 * @throws Problem 503
 */
export function refuseUnpaid({ orderId, reason }: Order): void {
  if (reason !== unpaidReason) {
    return;
  }
  throw new Problem(
    503,
    `The order ${orderId} could not be paid. Order again, with another Idempotency-Key.`,
    { orderId },
  );
}
