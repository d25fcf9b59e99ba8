import { z } from "@hono/zod-openapi";
import { states } from "./states.ts";

/** What the payment provider takes at once, rounded down. */
export const maxTotalCents = 2_000_000_000;

const sku = z
  .string()
  .regex(/^[A-Za-z0-9][\w-]{0,39}$/)
  .openapi({ example: "jacket-1" });

export const orderRequest = z
  .object({
    lines: z
      .array(z.object({ sku, quantity: z.int().min(1).max(1000) }).openapi("LineRequest"))
      .min(1)
      .max(50)
      .refine((lines) => new Set(lines.map(({ sku }) => sku)).size === lines.length, {
        error: "each SKU stands in one line",
      }),
  })
  .openapi("OrderRequest");

export type OrderRequest = z.infer<typeof orderRequest>;

export const line = z
  .object({
    sku,
    name: z.string(),
    quantity: z.int(),
    priceCents: z.int().openapi({ description: "of one, when it was ordered" }),
  })
  .openapi("Line");

export type Line = z.infer<typeof line>;

export const order = z
  .object({
    orderId: z.uuid(),
    userId: z.int().nullable().openapi({ description: "null once the customer has been erased" }),
    state: z.enum(states),
    reason: z.string().nullable().openapi({ description: "why it was declined, refunded or cancelled" }),
    lines: z.array(line),
    totalCents: z.int(),
    currency: z.literal("EUR"),
    placedAt: z.iso.datetime(),
  })
  .openapi("Order");

export type Order = z.infer<typeof order>;

export const byId = z.object({ id: z.uuid() });

/** A new one for every order; the same again when the answer was lost. */
export const idempotencyHeader = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[!-~]{1,100}$/)
    .openapi({ example: "8e03978e-40d5-43dd-bc93-6894a57f9324" }),
});
