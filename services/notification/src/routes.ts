import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, ownOrAdmin, reply, secured } from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { type Mail, mailsOf } from "./mails.ts";

const notification = z
  .object({
    id: z.number().int(),
    orderId: z.string(),
    kind: z.enum(["paid", "declined", "refunded", "cancelled"]),
    messageId: z.string(),
    state: z.enum(["due", "sent", "refused"]),
    createdAt: z.iso.datetime(),
    sentAt: z.iso.datetime().nullable(),
  })
  .openapi("Notification");

/** What the service has told people, for themselves. */
export function notificationRoutes(app: OpenAPIHono<AppEnvironment>, pool: Pool, auth: Auth): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/notifications",
      summary: "One's own notifications, the oldest first; administrators may ask for another's",
      middleware: [auth.user] as const,
      ...secured,
      request: {
        query: z.object({
          userId: z.coerce.number().int().min(1).max(4_294_967_295).optional(),
          after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(200, "A page; the next begins after the last id", z.array(notification)),
    }),
    async (c) => {
      const { userId = c.get("identity").userId, ...page } = c.req.valid("query");
      ownOrAdmin(c, userId);
      return c.json((await mailsOf(pool, userId, page)).map(shown), 200);
    },
  );
}

function shown({
  id,
  orderId,
  kind,
  messageId,
  state,
  createdAt,
  sentAt,
}: Mail): z.infer<typeof notification> {
  return {
    id,
    orderId,
    kind,
    messageId,
    state,
    createdAt: createdAt.toISOString(),
    sentAt: sentAt?.toISOString() ?? null,
  };
}
