import { type DataOf, type EventType, eventOf, type ShopEvent } from "@lab/messaging";
import { currentWork } from "@lab/service-kit";
import type { Outcome } from "./payment.ts";
import type { PaymentRow } from "./payments.ts";
import type { OrderIdentity } from "./settle.ts";

/** The service in its events, and its consumers' name: the same for every job that runs it, so that they share the events. */
export const source = "payment";

/** An event for the outbox, of the work that causes it. */
export function announce<T extends EventType>(type: T, data: DataOf<T> & { userId: number }): ShopEvent<T> {
  return eventOf(type, {
    key: String(data.userId),
    source,
    data,
    traceparent: currentWork()?.traceparent,
  });
}

/**
 * The event that tells how a payment ended.
 *
 * @param order with whose it is, also when that has been taken out of the row
 */
export function announcementOf(outcome: Outcome, payment: PaymentRow, order: OrderIdentity): ShopEvent {
  const { orderId, amountCents, chain } = payment;
  const { userId } = order;
  switch (outcome) {
    case "captured": {
      const chargeId = payment.chargeId as string;
      // In the other chain the order has been read from the stream, so that all others find it there before its payment.
      const lines = chain === "sync" ? order.lines : undefined;
      return announce("payment.captured.v1", { orderId, userId, amountCents, chargeId, chain, lines });
    }
    case "declined": {
      const reason = payment.declineReason as string;
      return announce("payment.declined.v1", { orderId, userId, amountCents, reason });
    }
    case "voided":
      return announce("payment.voided.v1", { orderId, userId });
    case "refunded": {
      const refundId = payment.refundId as string;
      const reason = payment.cancelReason as string;
      return announce("payment.refunded.v1", { orderId, userId, amountCents, refundId, reason });
    }
  }
}
