import { type DataOf, eventOf, type Handlers, type Messaging, stableId } from "@lab/messaging";
import type { Collection, Db } from "mongodb";
import { durable, insertFirst } from "./inserts.ts";
import type { Stock, Wanted } from "./stock.ts";

interface Line {
  sku: string;
  quantity: number;
}

/** What an order is of. Whose it is, is not kept. */
interface OrderLines {
  _id: string;
  lines: Line[];
}

/** Which came first for an order: that it was paid, or that it was cancelled. */
interface First {
  _id: string;
  by: "payment" | "cancellation";
}

/**
 * How many orders are remembered, so that a payment which follows soon need not look its order up: more than wait in the queue
 * after a busy minute, at some hundred bytes each. The embedded stand-in for MongoDB goes through all orders to find one.
 */
const maxRemembered = 50_000;

/** Reserves what orders are of once they are paid, and gives it back when they are cancelled. */
export class Orders {
  readonly #lines: Collection<OrderLines>;
  readonly #first: Collection<First>;
  readonly #stock: Stock;
  readonly #messaging: Messaging;
  readonly #service: string;
  readonly #remembered = new Map<string, Line[]>();

  constructor(database: Db, stock: Stock, messaging: Messaging, service: string) {
    this.#lines = database.collection("order_lines", durable);
    this.#first = database.collection("order_firsts", durable);
    this.#stock = stock;
    this.#messaging = messaging;
    this.#service = service;
  }

  /** For the events of orders. Each may come again: what was done stays done, and what was said is said again. */
  handlers(): Handlers {
    return {
      "order.placed.v1": async ({ data: { orderId, lines } }) => {
        const summed = sumOf(lines);
        await insertFirst(this.#lines, { _id: orderId, lines: summed });
        this.#remember(orderId, summed);
      },
      "payment.captured.v1": ({ key, data }) => this.#reserve(key, data),
      "order.cancelled.v1": ({ data: { orderId } }) => this.#cancel(orderId),
    };
  }

  async #reserve(key: string, { orderId, userId, lines }: DataOf<"payment.captured.v1">): Promise<void> {
    if (!(await this.#isFirst(orderId, "payment"))) {
      return;
    }
    const summed = lines ? sumOf(lines) : await this.#linesOf(orderId);
    const all = summed.map((line) => wantedFor(orderId, line));
    const states = new Set<string>();
    for (const wanted of all) {
      const { state } = await this.#stock.reserve(wanted);
      states.add(state);
      if (state === "sold out") {
        await this.#release(all);
        await this.#messaging.publish(
          eventOf("stock.rejected.v1", {
            id: stableId("stock.rejected.v1", orderId),
            key,
            source: this.#service,
            data: { orderId, userId, sku: wanted.sku },
          }),
        );
        return;
      }
    }
    // Otherwise it was cancelled since, and this is a late repeat.
    if (!states.has("released")) {
      await this.#messaging.publish(
        eventOf("stock.reserved.v1", {
          id: stableId("stock.reserved.v1", orderId),
          key,
          source: this.#service,
          data: { orderId, userId },
        }),
      );
    }
  }

  async #cancel(orderId: string): Promise<void> {
    if (!(await this.#isFirst(orderId, "cancellation"))) {
      await this.#release((await this.#linesOf(orderId)).map((line) => wantedFor(orderId, line)));
    }
  }

  /** What has no decision yet gets none from here on, so that nothing of it can be reserved later. */
  async #release(all: Wanted[]): Promise<void> {
    for (const wanted of all) {
      await this.#stock.release(wanted);
    }
  }

  /** Whether it comes, or came, before the other. */
  async #isFirst(orderId: string, by: First["by"]): Promise<boolean> {
    if (await insertFirst(this.#first, { _id: orderId, by })) {
      return true;
    }
    return (await this.#first.findOne({ _id: orderId }))?.by === by;
  }

  async #linesOf(orderId: string): Promise<Line[]> {
    const known = this.#remembered.get(orderId);
    if (known) {
      return known;
    }
    const found = await this.#lines.findOne({ _id: orderId });
    if (!found) {
      throw new Error(`Order ${orderId} was never placed, as far as events say.`);
    }
    return found.lines;
  }

  #remember(orderId: string, lines: Line[]): void {
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size >= maxRemembered && oldest !== undefined) {
      this.#remembered.delete(oldest);
    }
    this.#remembered.set(orderId, lines);
  }
}

/** One line a product, in the order of their SKUs. */
function sumOf(lines: Line[]): Line[] {
  const sums = new Map<string, number>();
  for (const { sku, quantity } of lines) {
    sums.set(sku, (sums.get(sku) ?? 0) + quantity);
  }
  return [...sums]
    .map(([sku, quantity]) => ({ sku, quantity }))
    .sort((one, other) => (one.sku < other.sku ? -1 : 1));
}

function wantedFor(orderId: string, { sku, quantity }: Line): Wanted {
  return { key: stableId("order", orderId, sku), sku, quantity };
}
