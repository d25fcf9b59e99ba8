import type { DataOf } from "@lab/messaging";
import { type OutboxRelay, transaction } from "@lab/mysql";
import { currentWork, type Logger } from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { type Fact, isUnsettled } from "./payment.ts";
import { type PaymentRow, record } from "./payments.ts";
import { type Charge, type Provider, ProviderAwayError, ProviderRefusedError } from "./provider.ts";

/** What settling needs. */
export interface Desk {
  pool: Pool;
  provider: Pick<Provider, "charge" | "find" | "refund">;
  relay: Pick<OutboxRelay, "wake">;
  log: Logger;
}

/** The order of a payment, and whose it is: also when the user has been taken out of the payment's row. */
export interface OrderIdentity {
  orderId: string;
  userId: number;
  /** Where they are known. */
  lines?: DataOf<"order.placed.v1">["lines"];
}

/**
 * Asks the provider until nothing about a payment is open, and writes down each answer with the event that announces it. The
 * row is not locked while the provider is asked; two may settle the same payment at once, because the provider knows the
 * key, and a fact that comes twice changes nothing.
 *
 * @param isNew whether the provider can't have heard of the order yet; else it is asked what it knows, before it is asked to
 * charge
 * @throws ProviderAwayError, ProviderUnclearError when something stays open: settle again later
 */
export async function settle(
  desk: Desk,
  order: OrderIdentity,
  payment: PaymentRow,
  isNew = false,
): Promise<PaymentRow> {
  let row = payment;
  let mayBeKnown = !isNew;
  while (isUnsettled(row)) {
    const fact =
      row.state === "refunding" ? await refund(desk, row) : await charge(desk, order, row, mayBeKnown);
    row = await note(desk, order, fact);
    mayBeKnown = true;
  }
  return row;
}

/** Writes down a fact that comes with no event. */
export async function note(desk: Desk, order: OrderIdentity, fact: Fact): Promise<PaymentRow> {
  const { pool, relay, log } = desk;
  const row = await transaction(pool, (connection) => record(connection, order, fact));
  relay.wake();
  (currentWork()?.log ?? log).info({ orderId: order.orderId, fact: fact.kind, state: row.state }, "payment");
  return row;
}

async function charge(
  desk: Desk,
  order: OrderIdentity,
  { amountCents }: PaymentRow,
  mayBeKnown: boolean,
): Promise<Fact> {
  const { provider } = desk;
  const { orderId } = order;
  const known = mayBeKnown ? await provider.find(orderId) : undefined;
  if (known) {
    return factOf(known);
  }
  try {
    return factOf(await provider.charge({ ...order, amountCents }));
  } catch (error) {
    if (error instanceof ProviderAwayError) {
      throw error;
    }
    await note(desk, order, { kind: "unanswered" });
    const found = await provider.find(orderId);
    if (found) {
      return factOf(found);
    }
    if (error instanceof ProviderRefusedError) {
      return { kind: "declined", reason: error.message };
    }
    throw error;
  }
}

async function refund({ provider }: Desk, row: PaymentRow): Promise<Fact> {
  const { orderId, amountCents, chargeId } = row;
  const { id } = await provider.refund({ orderId, amountCents, chargeId: chargeId as string });
  return { kind: "refunded", refundId: id };
}

function factOf({ id, status, reason }: Charge): Fact {
  return status === "captured"
    ? { kind: "charged", chargeId: id }
    : { kind: "declined", reason: reason ?? "The payment provider declined." };
}
