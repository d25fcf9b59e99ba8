import { isMysqlAway, Rounds } from "@lab/mysql";
import { type Confirmation, confirm } from "./confirm.ts";
import { forgottenPayments, type PaymentRow, postpone, unconfirmedPayments } from "./payments.ts";
import { ProviderAwayError } from "./provider.ts";
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
 * the synchronous chain nothing does after a crash.
 */
export function reconcile(options: ReconcileOptions): Rounds {
  const { desk, intervalMs } = options;
  return new Rounds({
    pool: desk.pool,
    name: "reconciler",
    intervalMs,
    log: desk.log,
    async round(signal) {
      await settleForgotten(options, signal);
      await confirmUnconfirmed(options, signal);
    },
  });
}

async function settleForgotten({ desk, afterMs }: ReconcileOptions, signal: AbortSignal): Promise<void> {
  for (const payment of await forgottenPayments(desk.pool, afterMs, batch)) {
    if (signal.aborted) {
      return;
    }
    try {
      await settleOne(desk, payment);
    } catch (error) {
      if (isMysqlAway(error) || error instanceof ProviderAwayError) {
        throw error;
      }
      // One that can't be settled must not keep the others waiting, in this round or the next.
      desk.log.error({ orderId: payment.orderId, err: error }, "a forgotten payment can't be settled");
      await postpone(desk.pool, payment.orderId);
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
    const outcome = signal.aborted ? "away" : await confirm(confirmation, order, payment);
    if (outcome === "away") {
      return;
    }
    if (outcome === "refused") {
      await postpone(desk.pool, payment.orderId);
    }
  }
}
