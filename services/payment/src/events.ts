import type { Handlers } from "@lab/messaging";
import { addToOutbox, handleOnce, isMysqlAway } from "@lab/mysql";
import { announce, source } from "./announce.ts";
import { begin, findPayment, forgetUser, openPaymentsOf, record, recordCancelled } from "./payments.ts";
import { ProviderAwayError, ProviderUnclearError } from "./provider.ts";
import { type Desk, type OrderIdentity, settle } from "./settle.ts";

/**
 * What the service does on events. What an event says is written down in one transaction with the note that it has been seen;
 * what follows from it is read from the payment's row, so that a repeat goes on where a crash has stopped.
 */
export function paymentHandlers(desk: Desk): Handlers {
  const { pool, relay } = desk;

  async function settleOrder(order: OrderIdentity, isNew = false): Promise<void> {
    relay.wake();
    const payment = await findPayment(pool, order.orderId);
    if (payment) {
      await settle(desk, order, payment, isNew);
    }
  }

  return {
    async "order.placed.v1"(event) {
      // The order service asks for the payments of the synchronous chain itself.
      if (event.data.chain === "async") {
        let isNew = false;
        await handleOnce(pool, event, async (connection) => {
          isNew = await begin(connection, event.data);
        });
        await settleOrder(event.data, isNew);
      }
    },

    async "order.cancelled.v1"(event) {
      await handleOnce(pool, event, (connection) =>
        recordCancelled(connection, event.data, event.data.reason),
      );
      await settleOrder(event.data);
    },

    async "stock.rejected.v1"(event) {
      await handleOnce(pool, event, async (connection) => {
        const reason = `${event.data.sku} is sold out`;
        await record(connection, event.data, { kind: "cancelled", reason });
      });
      await settleOrder(event.data);
    },

    async "user.erased.v1"(event) {
      const { userId, erasureId } = event.data;
      // What is announced later needs the user; so nothing may be open when he is taken out.
      for (const payment of await openPaymentsOf(pool, userId)) {
        await settle(desk, { orderId: payment.orderId, userId }, payment);
      }
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

/** Whether what was asked has to wait until something is back. */
export function isTransient(error: unknown): boolean {
  return isMysqlAway(error) || error instanceof ProviderAwayError || error instanceof ProviderUnclearError;
}
