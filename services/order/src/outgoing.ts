import { type DataOf, type EventType, eventOf, type ShopEvent } from "@lab/messaging";
import { currentWork } from "@lab/service-kit";
import type { Order } from "./schema.ts";

/** The service in its events, and its consumers' name: the same for every job that runs it, so that they share the events. */
export const source = "order";

/** How an order goes on: by the queue, or with the customer waiting. */
export type Chain = DataOf<"order.placed.v1">["chain"];

/** What the other services are told of a new order. */
export function placedData(order: Order & { userId: number }, chain: Chain): DataOf<"order.placed.v1"> {
  const { orderId, userId, lines, totalCents, placedAt } = order;
  return { orderId, userId, lines, totalCents, placedAt, chain };
}

/** An event for the outbox, of the work that causes it. */
export function tell<T extends EventType>(
  type: T,
  data: DataOf<T> & { userId: number },
  time?: string,
): ShopEvent<T> {
  const traceparent = currentWork()?.traceparent;
  return eventOf(type, { key: String(data.userId), data, source, time, traceparent });
}
