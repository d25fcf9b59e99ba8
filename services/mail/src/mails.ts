import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, Problem, reply } from "@lab/service-kit";
import type { MailStore } from "./store.ts";

export const seq = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** An address is at most that long (RFC 5321, 4.5.3.1). */
export const address = z.string().min(1).max(320);

const summary = z
  .object({
    seq: z.number().int(),
    messageId: z.string(),
    receivedAt: z.string(),
    from: z.string(),
    to: z.array(z.string()),
    subject: z.string(),
    sizeBytes: z.number().int(),
    doubles: z.number().int().openapi({ description: "How often its Message-ID came again" }),
  })
  .openapi("MailSummary");

const mail = summary.extend({ text: z.string() }).openapi("Mail");

/** The mails for programs. */
export function mailRoutes(app: OpenAPIHono<AppEnvironment>, store: MailStore): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/mails",
      summary: "Mails in the order in which they came, perhaps only those to one address",
      request: {
        query: z.object({
          to: address.optional(),
          after: seq.default(0),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(
        200,
        "A page of mails, and how many there are in all; the next begins after the last seq",
        z.object({ mails: z.array(summary), total: z.number().int(), doubles: z.number().int() }),
      ),
    }),
    (c) => {
      const { to, after, limit } = c.req.valid("query");
      return c.json({ mails: store.after(after, limit, to), ...store.count(to) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/mails/{seq}",
      summary: "A mail with its text",
      request: { params: z.object({ seq }) },
      responses: reply(200, "The mail; of one that has only HTML, what that says as text", mail),
    }),
    (c) => {
      const number = c.req.valid("param").seq;
      const found = store.find(number);
      if (!found) {
        throw new Problem(404, `There is no mail ${number}.`);
      }
      return c.json(found, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/mails",
      summary: "Throw all mails away",
      responses: { 204: { description: "There is no mail any more" } },
    }),
    (c) => {
      store.clear();
      return c.body(null, 204);
    },
  );
}
