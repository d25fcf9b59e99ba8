import type { Handlers, ShopEvent } from "@lab/messaging";
import { addToOutbox, handleOnce, isMysqlAway } from "@lab/mysql";
import type { PoolConnection } from "mysql2/promise";
import { announce, source } from "./announce.ts";
import { deliver, type PostOffice } from "./deliver.ts";
import { isSmtpAway } from "./mailer.ts";
import { addMail, dueMailsOfOrder, dueMailsOfUser, type NewMail } from "./mails.ts";
import {
  forgetUser,
  isCancelled,
  keepCancellation,
  keepOrder,
  keepRecipient,
  type Recipient,
} from "./projections.ts";

/**
 * What the service does on events. Each is written down in one transaction with the note that it has been seen; what is then
 * due is read from the mails' rows, so that a repeat goes on where a crash has stopped.
 *
 * A mail to a user who is not known yet stays due until he is. It can't wait in the partition: the event that makes him known
 * comes from another service, and may be behind it.
 */
export function notificationHandlers(office: PostOffice): Handlers {
  const { pool, relay } = office;

  async function knowRecipient(event: ShopEvent, recipient: Recipient): Promise<void> {
    await handleOnce(pool, event, (connection) => keepRecipient(connection, recipient, new Date(event.time)));
    await deliver(office, await dueMailsOfUser(pool, recipient.userId));
  }

  async function send(
    event: ShopEvent & { data: { orderId: string; userId: number } },
    mailOf: (connection: PoolConnection) => Promise<Pick<NewMail, "kind" | "amountCents" | "reason">>,
  ): Promise<void> {
    const { orderId, userId } = event.data;
    await handleOnce(pool, event, async (connection) => {
      await addMail(connection, { orderId, userId, ...(await mailOf(connection)) });
    });
    await deliver(office, await dueMailsOfOrder(pool, orderId));
  }

  return {
    "user.registered.v1": (event) => knowRecipient(event, event.data),
    "user.changed.v1": (event) => knowRecipient(event, event.data),

    async "order.placed.v1"(event) {
      await handleOnce(pool, event, (connection) => keepOrder(connection, event.data));
    },

    async "order.cancelled.v1"(event) {
      await handleOnce(pool, event, (connection) => keepCancellation(connection, event.data));
    },

    async "payment.captured.v1"(event) {
      // In the synchronous chain the payment service asks for the mail itself.
      if (event.data.chain === "async") {
        const { amountCents } = event.data;
        await send(event, async () => ({ kind: "paid", amountCents, reason: null }));
      }
    },

    async "payment.declined.v1"(event) {
      const { amountCents, reason } = event.data;
      await send(event, async () => ({ kind: "declined", amountCents, reason }));
    },

    async "payment.voided.v1"(event) {
      await send(event, async () => ({ kind: "cancelled", amountCents: null, reason: null }));
    },

    async "payment.refunded.v1"(event) {
      const { orderId, amountCents, reason } = event.data;
      await send(event, async (connection) => ({
        kind: (await isCancelled(connection, orderId)) ? "cancelled" : "refunded",
        amountCents,
        reason,
      }));
    },

    async "user.erased.v1"(event) {
      const { userId, erasureId } = event.data;
      await handleOnce(pool, event, async (connection) => {
        const records = await forgetUser(connection, userId);
        await addToOutbox(connection, [
          announce("user.data-erased.v1", { userId, erasureId, service: source, records }),
        ]);
      });
      relay.wake();
    },
  };
}

/** Whether an event has to wait until something is back, however long that takes. */
export function isTransient(error: unknown): boolean {
  return isMysqlAway(error) || isSmtpAway(error);
}
