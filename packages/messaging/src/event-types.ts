import { z } from "zod";

const userId = z.number().int().positive();
const orderId = z.string().min(1).max(64);
const sku = z.string().min(1).max(40);
const name = z.string().max(200);
const email = z.string().max(254);
const reason = z.string().max(500);
const cents = z.number().int().nonnegative();
const quantity = z.number().int().positive();
const chain = z.enum(["async", "sync"]);
const lines = z
  .array(z.object({ sku, name, quantity, priceCents: cents }))
  .min(1)
  .max(500);

/**
 * The data of each type of event. The last part of a type is its version: one that was released may get optional members,
 * and anything else is a new version beside it. Members that a schema doesn't name are left out.
 */
export const schemas = {
  "user.registered.v1": z.object({ userId, name, email }),
  "user.changed.v1": z.object({ userId, name, email }),
  "user.erased.v1": z.object({ userId, erasureId: z.string().min(1).max(64) }),
  "user.data-erased.v1": z.object({
    userId,
    erasureId: z.string().min(1).max(64),
    service: z.string().min(1).max(64),
    records: z.number().int().nonnegative(),
  }),
  "order.placed.v1": z.object({
    orderId,
    userId,
    lines,
    totalCents: cents,
    placedAt: z.iso.datetime(),
    chain,
  }),
  "order.cancelled.v1": z.object({ orderId, userId, reason }),
  "order.confirmed.v1": z.object({ orderId, userId }),
  "payment.captured.v1": z.object({
    orderId,
    userId,
    amountCents: cents,
    chargeId: z.string().min(1).max(64),
    chain,
    /** In the synchronous chain, in which the payment may be heard of before the order. */
    lines: lines.optional(),
  }),
  "payment.declined.v1": z.object({ orderId, userId, amountCents: cents, reason }),
  "payment.voided.v1": z.object({ orderId, userId }),
  "payment.refunded.v1": z.object({
    orderId,
    userId,
    amountCents: cents,
    refundId: z.string().min(1).max(64),
    reason,
  }),
  "stock.reserved.v1": z.object({ orderId, userId }),
  "stock.rejected.v1": z.object({ orderId, userId, sku }),
  "notification.sent.v1": z.object({
    orderId,
    userId,
    messageId: z.string().min(1).max(250),
    kind: z.string().min(1).max(40),
  }),
  "cart.merged.v1": z.object({ userId, items: z.number().int().nonnegative() }),
  "product.viewed.v1": z.object({ userId, sku }),
} as const;

export type EventType = keyof typeof schemas;

/** The data of an event type. */
export type DataOf<T extends EventType> = z.infer<(typeof schemas)[T]>;

/** Whether a text names a type of event that is known here. */
export function isEventType(type: string): type is EventType {
  return Object.hasOwn(schemas, type);
}
