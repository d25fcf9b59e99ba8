import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type DataOf, schemas } from "@lab/messaging";
import { type AppEnvironment, jsonBody, Problem, reply, type ServiceTokens, secured } from "@lab/service-kit";
import { type Confirmation, confirm } from "./confirm.ts";
import { isTransient } from "./events.ts";
import { begin, findPayment, type PaymentRow } from "./payments.ts";
import { ProviderAwayError } from "./provider.ts";
import { type Desk, note, settle } from "./settle.ts";

const input = schemas["order.placed.v1"]
  .extend({
    orderId: z.uuid(),
    userId: z.number().int().min(1).max(4_294_967_295),
    totalCents: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  })
  .openapi("PaymentInput");

const result = z
  .object({
    orderId: z.uuid(),
    state: z.enum(["captured", "declined", "voided", "refunded"]),
    reason: z.string().nullable(),
  })
  .openapi("PaymentResult");

/**
 * The middle of the synchronous chain: charges, has the customer told, and answers only then. When the caller gets no 200, its
 * order is not paid; whatever was taken all the same is given back.
 */
export function chainRoutes(
  app: OpenAPIHono<AppEnvironment>,
  desk: Desk,
  confirmation: Confirmation,
  tokens: ServiceTokens,
): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/internal/payments",
      summary: "Charge for an order and tell the customer, while the order service waits",
      middleware: [tokens.only("order", "order-sync")] as const,
      ...secured,
      request: { body: jsonBody(input) },
      responses: reply(200, "How the payment ended; to be declined is an answer, not an error", result),
    }),
    async (c) => {
      const order = c.req.valid("json");
      const payment = await charge(desk, order);
      // A mail that can't be sent now is no reason to give the money back: the reconciler has it sent later.
      if (payment.state === "captured") {
        await confirm(confirmation, order, payment, order.lines);
      }
      const { orderId, state, declineReason, cancelReason } = payment;
      return c.json(
        { orderId, state: state as z.infer<typeof result>["state"], reason: declineReason ?? cancelReason },
        200,
      );
    },
  );
}

async function charge(desk: Desk, order: DataOf<"order.placed.v1">): Promise<PaymentRow> {
  const isNew = await begin(desk.pool, { ...order, chain: "sync" });
  try {
    return await settle(desk, order, await existing(desk, order.orderId), isNew);
  } catch (error) {
    if (!isTransient(error)) {
      throw error;
    }
    const { state } = await existing(desk, order.orderId);
    const wasNeverAsked = isNew && error instanceof ProviderAwayError && state === "charging";
    await note(
      desk,
      order,
      wasNeverAsked
        ? { kind: "declined", reason: "The payment provider is away." }
        : { kind: "cancelled", reason: "The payment provider did not answer in time." },
    );
    throw new Problem(503, `The order can't be paid now. ${(error as Error).message} Try again.`);
  }
}

async function existing({ pool }: Desk, orderId: string): Promise<PaymentRow> {
  const payment = await findPayment(pool, orderId);
  if (!payment) {
    throw new Error(`The payment for the order ${orderId} is gone.`);
  }
  return payment;
}
