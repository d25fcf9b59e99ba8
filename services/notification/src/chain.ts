import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { schemas } from "@lab/messaging";
import { transaction } from "@lab/mysql";
import { type AppEnvironment, jsonBody, Problem, reply, type ServiceTokens, secured } from "@lab/service-kit";
import { deliver, type PostOffice } from "./deliver.ts";
import { messageIdOf } from "./letter.ts";
import { isSmtpAway } from "./mailer.ts";
import { addMail, dueMailsOfOrder, findMail } from "./mails.ts";
import { keepOrder } from "./projections.ts";

const { lines } = schemas["order.placed.v1"].shape;

const input = z
  .object({
    kind: z.literal("paid"),
    orderId: z.uuid(),
    userId: z.number().int().min(1).max(4_294_967_295),
    amountCents: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    lines: lines.optional().openapi({ description: "missing where the order has been told as an event" }),
  })
  .openapi("NotificationInput");

const result = z
  .object({
    messageId: z.string(),
    state: z
      .enum(["due", "sent", "refused"])
      .openapi({ description: "due until the recipient is known, and then sent without another request" }),
  })
  .openapi("NotificationResult");

/** The end of the synchronous chain: the caller waits until the mail is sent. */
export function chainRoutes(
  app: OpenAPIHono<AppEnvironment>,
  office: PostOffice,
  tokens: ServiceTokens,
): void {
  const { pool } = office;

  app.openapi(
    createRoute({
      method: "post",
      path: "/internal/notifications",
      summary: "Tell a customer that an order is paid, while the payment service waits",
      middleware: [tokens.only("payment", "payment-sync")] as const,
      ...secured,
      request: { body: jsonBody(input) },
      responses: reply(200, "The mail; the same one for a repeat", result),
    }),
    async (c) => {
      const { kind, orderId, userId, amountCents, lines } = c.req.valid("json");
      await transaction(pool, async (connection) => {
        if (lines) {
          await keepOrder(connection, { orderId, userId, totalCents: amountCents, lines });
        }
        await addMail(connection, { orderId, userId, kind, amountCents, reason: null });
      });
      try {
        await deliver(office, await dueMailsOfOrder(pool, orderId));
      } catch (error) {
        throw isSmtpAway(error) ? new Problem(503, "The mail server is away. Try again in a moment.") : error;
      }
      const messageId = messageIdOf(orderId, kind);
      const mail = await findMail(pool, messageId);
      if (!mail) {
        throw new Problem(409, `User ${userId} has been erased.`);
      }
      return c.json({ messageId, state: mail.state }, 200);
    },
  );
}
