import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, Problem, reply, secured } from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { findPayment, type PaymentRow } from "./payments.ts";

const payment = z
  .object({
    orderId: z.uuid(),
    userId: z.number().int().nullable(),
    state: z.enum(["charging", "unknown", "captured", "declined", "voided", "refunding", "refunded"]),
    amountCents: z.number().int(),
    currency: z.literal("EUR"),
    chargeId: z.string().nullable(),
    refundId: z.string().nullable(),
    declineReason: z.string().nullable(),
    cancelReason: z.string().nullable(),
    createdAt: z.iso.datetime(),
    changedAt: z.iso.datetime(),
  })
  .openapi("Payment");

/** Payments, for those whose they are. */
export function paymentRoutes(app: OpenAPIHono<AppEnvironment>, pool: Pool, auth: Auth): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/payments/{orderId}",
      summary: "The payment of one's own order",
      middleware: [auth.user] as const,
      ...secured,
      request: { params: z.object({ orderId: z.uuid() }) },
      responses: reply(200, "The payment", payment),
    }),
    async (c) => {
      const { orderId } = c.req.valid("param");
      const { userId, role } = c.get("identity");
      const found = await findPayment(pool, orderId);
      // The same words for somebody else's, so that nobody learns which orders there are.
      if (!found || (role !== "admin" && found.userId !== userId)) {
        throw new Problem(404, `You have no payment for the order ${orderId}.`);
      }
      return c.json(shown(found), 200);
    },
  );
}

function shown({ chain: _chain, createdAt, changedAt, ...row }: PaymentRow): z.infer<typeof payment> {
  return { ...row, currency: "EUR", createdAt: createdAt.toISOString(), changedAt: changedAt.toISOString() };
}
