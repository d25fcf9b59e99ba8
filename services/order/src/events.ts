import type { Handlers, ShopEvent } from "@lab/messaging";
import { addToOutbox, handleOnce, type OutboxRelay } from "@lab/mysql";
import type { Pool, PoolConnection } from "mysql2/promise";
import { forgetCustomer, type Move, moveOrder, stateOf } from "./orders.ts";
import { source, tell } from "./outgoing.ts";
import type { Trigger } from "./states.ts";
import { captured, unpaidReason } from "./sync-chain.ts";

/** What the other services' events do to orders: each in one transaction with the note that it has been seen. */
export function orderHandlers(pool: Pool, relay: Pick<OutboxRelay, "wake">): Handlers {
  async function once(
    event: ShopEvent,
    change: (connection: PoolConnection) => Promise<unknown>,
  ): Promise<void> {
    await handleOnce(pool, event, async (connection) => {
      await change(connection);
    });
    relay.wake();
  }

  return {
    "payment.captured.v1": (event) =>
      once(event, async (connection) => {
        const { chain } = event.data;
        await (chain === "sync"
          ? captured(connection, event.data)
          : move(connection, event.data, "captured"));
      }),

    "payment.declined.v1": (event) =>
      once(event, (connection) => move(connection, event.data, "declined", event.data.reason)),

    "payment.voided.v1": (event) =>
      once(event, async (connection) => {
        const isPlaced = (await stateOf(connection, event.data.orderId)) === "placed";
        await move(connection, event.data, "voided", isPlaced ? unpaidReason : undefined);
      }),

    "payment.refunded.v1": (event) =>
      once(event, (connection) => move(connection, event.data, "refunded", event.data.reason)),

    "stock.reserved.v1": (event) =>
      once(event, async (connection) => {
        const { orderId, userId } = event.data;
        const { before, state } = await move(connection, event.data, "reserved");
        if (state === "confirmed" && before !== state) {
          await addToOutbox(connection, [tell("order.confirmed.v1", { orderId, userId })]);
        }
      }),

    "stock.rejected.v1": (event) =>
      once(event, (connection) => move(connection, event.data, "rejected", `${event.data.sku} is sold out.`)),

    "user.erased.v1": (event) =>
      once(event, async (connection) => {
        const { userId, erasureId } = event.data;
        const records = await forgetCustomer(connection, userId);
        const done = tell("user.data-erased.v1", { userId, erasureId, service: source, records });
        await addToOutbox(connection, [done]);
      }),
  };
}

/** @throws Error for an order that this service has never accepted */
async function move(
  connection: PoolConnection,
  { orderId }: { orderId: string },
  trigger: Trigger,
  reason?: string,
): Promise<Move> {
  const move = await moveOrder(connection, orderId, trigger, reason);
  if (!move) {
    throw new Error(`There is no order ${orderId}.`);
  }
  return move;
}
