import { ServiceAwayError, type ServiceClient } from "@lab/discovery";
import type { DataOf } from "@lab/messaging";
import { currentWork } from "@lab/service-kit";
import { type PaymentRow, recordConfirmed } from "./payments.ts";
import type { Desk, OrderIdentity } from "./settle.ts";

/** What confirming needs. */
export interface Confirmation extends Pick<Desk, "pool" | "log"> {
  notification: Pick<ServiceClient, "request">;
}

/**
 * Has the customer told of a payment of the synchronous chain, in which no event does so, and waits for it.
 *
 * @param lines of the order, where they are known
 * @returns whether it is confirmed, or has to be again later: because the notification service is away, or could not do this one
 */
export async function confirm(
  confirmation: Confirmation,
  { orderId, userId }: OrderIdentity,
  { amountCents }: PaymentRow,
  lines?: DataOf<"order.placed.v1">["lines"],
): Promise<"confirmed" | "refused" | "away"> {
  const { pool, notification } = confirmation;
  const log = currentWork()?.log ?? confirmation.log;
  try {
    const { status } = await notification.request({
      method: "POST",
      path: "/internal/notifications",
      body: { kind: "paid", orderId, userId, amountCents, lines },
    });
    // 409: there is nobody left to be told.
    if (status !== 200 && status !== 409) {
      log.warn({ orderId, status }, "the customer has not been told");
      return status === 503 ? "away" : "refused";
    }
  } catch (error) {
    if (!(error instanceof ServiceAwayError)) {
      throw error;
    }
    log.warn({ orderId, err: error }, "the customer has not been told");
    return "away";
  }
  await recordConfirmed(pool, orderId);
  return "confirmed";
}
