import type { OutboxRelay } from "@lab/mysql";
import { measure, Problem } from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { GroupCommit } from "./group-commit.ts";
import { hashOf } from "./idempotency.ts";
import { findByKey, findOrder, insertOrders, type NewOrder } from "./orders.ts";
import { type Chain, placedData, tell } from "./outgoing.ts";
import type { PriceList } from "./prices.ts";
import { type Line, maxTotalCents, type Order, type OrderRequest } from "./schema.ts";
import { refuseUnpaid, type SyncChain } from "./sync-chain.ts";
import { uuidV7 } from "./uuid-v7.ts";

export interface CounterOptions {
  pool: Pool;
  relay: Pick<OutboxRelay, "wake">;
  prices: Pick<PriceList, "priceOf">;
  /** Without it orders are paid by the queue. */
  syncChain?: SyncChain;
}

/** What is answered to a request for an order. */
export interface Accepted {
  order: Order;
  /** Whether an earlier request with the same key has placed it. */
  isRepeat: boolean;
}

/** Enough to have the next group written while the last one is flushed to disk. */
const lanes = 2;
const maxItems = 64;

/** Where orders are placed. */
export class Counter {
  readonly #options: CounterOptions;
  readonly #chain: Chain;
  readonly #books: GroupCommit<NewOrder, boolean>;

  constructor(options: CounterOptions) {
    this.#options = options;
    this.#chain = options.syncChain ? "sync" : "async";
    this.#books = new GroupCommit({
      commit: (placed) => insertOrders(options.pool, placed),
      lanes,
      maxItems,
    });
  }

  /**
   * Accepts an order: once this resolves it is in the database, with its event. The same request again gets the order that it
   * got before.
   *
   * @throws Problem 403 when the customer has been erased; 422 when the key was used for another order, or a product is
   * unknown; 503 when a price or, in the synchronous chain, the payment can't be had
   */
  async place(userId: number, idempotencyKey: string, request: OrderRequest): Promise<Accepted> {
    const { pool, relay } = this.#options;
    const requestHash = hashOf(request);
    const order = await this.#draft(userId, request).catch(async (problem) => {
      // What was ordered before is no longer a matter of prices.
      return (await findByKey(pool, userId, idempotencyKey)) ? undefined : Promise.reject(problem);
    });
    if (order) {
      const event = tell("order.placed.v1", placedData(order, this.#chain), order.placedAt);
      const placed = { order, event, idempotencyKey, requestHash };
      if (await measure("mysql", () => this.#books.add(placed))) {
        relay.wake();
        return { order: await this.#goOn(order), isRepeat: false };
      }
    }
    return { order: await this.#repeat(userId, idempotencyKey, requestHash), isRepeat: true };
  }

  async #draft(userId: number, { lines }: OrderRequest): Promise<Order & { userId: number }> {
    const priced = lines.map(async ({ sku, quantity }) => {
      const { name, priceCents } = await this.#options.prices.priceOf(sku);
      return { sku, name, quantity, priceCents };
    });
    return orderOf(userId, await Promise.all(priced));
  }

  /** The answer that the first request got, or would have got. */
  async #repeat(userId: number, idempotencyKey: string, requestHash: Buffer): Promise<Order> {
    const earlier = await findByKey(this.#options.pool, userId, idempotencyKey);
    if (!earlier) {
      throw new Problem(403, "You have been erased. Nothing can be ordered in your name any more.");
    }
    if (!earlier.requestHash.equals(requestHash)) {
      throw new Problem(
        422,
        "This Idempotency-Key was used for another order. Send a new key with every new order.",
      );
    }
    return this.#goOn({ ...earlier.order, userId });
  }

  /** An order as its customer is to see it now: in the asynchronous chain as it was placed, in the other one after payment. */
  async #goOn(order: Order & { userId: number }): Promise<Order> {
    const { pool, syncChain } = this.#options;
    if (!syncChain) {
      return { ...order, state: "placed", reason: null };
    }
    if (order.state === "placed") {
      await syncChain.pay(order);
    }
    const paid = (await findOrder(pool, order.orderId)) as Order;
    refuseUnpaid(paid);
    return paid;
  }
}

function orderOf(userId: number, lines: Line[]): Order & { userId: number } {
  const totalCents = lines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0);
  if (totalCents < 1 || totalCents > maxTotalCents) {
    throw new Problem(422, `An order is for 1 to ${maxTotalCents} cents; this one is for ${totalCents}.`);
  }
  const nowMs = Date.now();
  return {
    orderId: uuidV7(nowMs),
    userId,
    state: "placed",
    reason: null,
    lines,
    totalCents,
    currency: "EUR",
    placedAt: new Date(nowMs).toISOString(),
  };
}
