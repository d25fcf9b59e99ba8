import { setTimeout as delay } from "node:timers/promises";
import type { RowDataPacket } from "mysql2/promise";
import { type Confirmation, confirm } from "./confirm.ts";
import { isTransient } from "./events.ts";
import { forgottenPayments, type PaymentRow, unconfirmedPayments } from "./payments.ts";
import { type Desk, note, settle } from "./settle.ts";

export interface ReconcileOptions {
  desk: Desk;
  confirmation: Confirmation;
  intervalMs: number;
  /** How long a payment waits before it counts as forgotten: longer than anybody is at one. */
  afterMs: number;
}

/** How many payments one round takes at most. */
const batch = 100;

/**
 * Finds out what became of payments that nobody is at any more. Events come again until they are done, but for the payments of
 * the synchronous chain nothing does after a crash. A named lock of the database lets one instance do so at a time.
 */
export class Reconciler {
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;

  constructor(options: ReconcileOptions) {
    this.#finished = this.#run(options);
  }

  /** Ends after the payment under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
  }

  async #run(options: ReconcileOptions): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await delay(options.intervalMs, undefined, { signal }).catch(() => undefined);
      try {
        await round(options, signal);
      } catch (error) {
        options.desk.log.warn({ err: error }, "payments stay open until the next round");
      }
    }
  }
}

async function round(options: ReconcileOptions, signal: AbortSignal): Promise<void> {
  const lock = await options.desk.pool.getConnection();
  try {
    const [[row]] = await lock.query<RowDataPacket[]>(
      "SELECT GET_LOCK(CONCAT(DATABASE(), '.reconciler'), 0) AS taken",
    );
    if (row?.taken === 1) {
      await settleForgotten(options, signal);
      await confirmUnconfirmed(options, signal);
    }
  } finally {
    // Ends the connection, and with it the lock.
    lock.destroy();
  }
}

async function settleForgotten({ desk, afterMs }: ReconcileOptions, signal: AbortSignal): Promise<void> {
  for (const payment of await forgottenPayments(desk.pool, afterMs, batch)) {
    if (signal.aborted) {
      return;
    }
    try {
      await settleOne(desk, payment);
    } catch (error) {
      if (isTransient(error)) {
        throw error;
      }
      // One that can't be settled must not keep the others waiting.
      desk.log.error({ orderId: payment.orderId, err: error }, "a forgotten payment can't be settled");
    }
  }
}

async function settleOne(desk: Desk, payment: PaymentRow): Promise<void> {
  const { orderId, chain, state: was } = payment;
  const order = { orderId, userId: payment.userId as number };
  const current =
    chain === "sync"
      ? // Its order has got no answer, and has been refused long since.
        await note(desk, order, { kind: "cancelled", reason: "Nobody waited for the payment any more." })
      : payment;
  const { state } = await settle(desk, order, current);
  desk.log.info({ orderId, was, state }, "settled a forgotten payment");
}

async function confirmUnconfirmed(
  { desk, confirmation, afterMs }: ReconcileOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const payment of await unconfirmedPayments(desk.pool, afterMs, batch)) {
    const order = { orderId: payment.orderId, userId: payment.userId as number };
    if (signal.aborted || !(await confirm(confirmation, order, payment))) {
      return;
    }
  }
}
