import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type AppEnvironment,
  type Auth,
  jsonBody,
  ownOrAdmin,
  Problem,
  reply,
  secured,
} from "@lab/service-kit";
import { daysIn, span } from "./days.ts";
import type { Cursor, Entry, History } from "./history.ts";

const maxAttributes = 50;

/** A moment of our time: what is written far before or after it has no day that Cassandra and JavaScript agree on. */
const moment = z.iso
  .datetime({ offset: true })
  .refine((text) => isOurTime(new Date(text)), "moments lie between 1970 and 2199")
  .openapi({ description: "From 1970 to 2199." });

const eventInput = z
  .object({
    at: moment,
    type: z.string().trim().min(1).max(60),
    attributes: z
      .record(z.string().min(1).max(60), z.string().max(500))
      .refine((all) => Object.keys(all).length <= maxAttributes, `at most ${maxAttributes} attributes`)
      .default({})
      .openapi({ maxProperties: maxAttributes }),
  })
  .openapi("EventInput", {
    example: { at: "2025-10-28T10:00:00Z", type: "viewed", attributes: { sku: "jacket-1" } },
  });

const event = z
  .object({
    userId: z.number().int(),
    id: z.string(),
    at: z.string(),
    type: z.string(),
    attributes: z.record(z.string(), z.string()),
  })
  .openapi("Event");

const byUser = z.object({
  userId: z.coerce.number().int().min(1).max(2_147_483_647).openapi({ example: 101 }),
});

const byEvent = byUser.extend({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][\w-]{0,63}$/)
    .openapi({ example: "e1" }),
});

/** What happened to a user, in the order of time: written and read by partition. */
export function eventRoutes(app: OpenAPIHono<AppEnvironment>, auth: Auth, history: History): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/analytics/users/{userId}/events/{id}",
      summary: "Record an event; the same again changes nothing; for administrators",
      middleware: auth.admin,
      request: { params: byEvent, body: jsonBody(eventInput) },
      responses: reply(200, "The event as stored", event),
    }),
    async (c) => {
      const { userId, id } = c.req.valid("param");
      const { at, ...rest } = c.req.valid("json");
      const entry = { id, at: new Date(at), ...rest };
      if (!(await history.recordAside(userId, entry))) {
        throw new Problem(409, `User ${userId} was erased; nothing is recorded of them any more.`);
      }
      return c.json(shown(userId, entry), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/analytics/users/{userId}/events",
      summary: "The events of a user in a span of days, the latest first; one's own, or for administrators",
      middleware: auth.user,
      request: {
        params: byUser,
        query: span.extend({
          limit: z.coerce.number().int().min(1).max(500).default(100),
          after: z.string().max(150).optional().openapi({
            description: "The `at` and the `id` that the page before ended with.",
            example: "2025-10-28T10:00:00.000Z,e1",
          }),
        }),
      },
      responses: reply(200, "Events", z.array(event)),
    }),
    async (c) => {
      const { userId } = c.req.valid("param");
      ownOrAdmin(c, userId);
      const { from, to, limit, after } = c.req.valid("query");
      const cursor = after === undefined ? undefined : cursorOf(after);
      const entries = await history.read(userId, daysIn({ from, to }), limit, cursor);
      return c.json(
        entries.map((entry) => shown(userId, entry)),
        200,
      );
    },
  );
}

function cursorOf(text: string): Cursor {
  const [, at = "", id = ""] = /^([\d:.TZ-]+),(.+)$/.exec(text) ?? [];
  const moment = new Date(at);
  if (!isOurTime(moment)) {
    throw new Problem(400, "after is the `at` and the `id` of an event, with a comma between them.");
  }
  return { at: moment, id };
}

function isOurTime(moment: Date): boolean {
  const year = moment.getUTCFullYear();
  return year >= 1970 && year < 2200;
}

function shown(userId: number, { at, ...entry }: Entry): z.infer<typeof event> {
  return { userId, at: at.toISOString(), ...entry };
}
