import { type DataOf, type EventType, eventOf, type ShopEvent } from "@lab/messaging";
import { currentWork } from "@lab/service-kit";
import type { Outcome } from "./payment.ts";
import type { PaymentRow } from "./payments.ts";

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
 * @param userId whose order it is, also when that has been taken out of the row
 */
export function announcementOf(outcome: Outcome, payment: PaymentRow, userId: number): ShopEvent {
  const { orderId, amountCents, chain } = payment;
  switch (outcome) {
    case "captured": {
      const chargeId = payment.chargeId as string;
      return announce("payment.captured.v1", { orderId, userId, amountCents, chargeId, chain });
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
