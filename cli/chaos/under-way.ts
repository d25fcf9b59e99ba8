import type { KeptMail } from "../load/mails.ts";
import type { SentOrder } from "./customers.ts";
import { orderIn } from "./tally.ts";

/**
 * How many orders were on their way at a moment: sent, and without their last mail. What is killed while there are none proves
 * nothing.
 *
 * @param atMs milliseconds since 1970
 */
export function underWayAt(
  atMs: number,
  orders: readonly SentOrder[],
  mails: readonly Pick<KeptMail, "subject" | "receivedAt">[],
): number {
  const doneMs = new Map<string, number>();
  for (const mail of mails) {
    const orderId = orderIn(mail) ?? "";
    doneMs.set(orderId, Math.max(doneMs.get(orderId) ?? 0, Date.parse(mail.receivedAt)));
  }
  return orders.filter(
    ({ orderId, sentAtMs }) => sentAtMs <= atMs && (doneMs.get(orderId) ?? Number.POSITIVE_INFINITY) > atMs,
  ).length;
}
