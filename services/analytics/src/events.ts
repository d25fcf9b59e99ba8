import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, Problem, reply } from "@lab/service-kit";
import { type Client, types } from "cassandra-driver";
import { countDays, dayOf, daysBetween } from "./days.ts";

const key = z.string().regex(/^[A-Za-z0-9][\w-]{0,63}$/);

const eventInput = z
  .object({
    at: z.iso.datetime({ offset: true }),
    type: z.string().trim().min(1).max(60),
    attributes: z.record(z.string().min(1).max(60), z.string().max(500)).default({}),
  })
  .openapi("EventInput", {
    example: { at: "2025-10-28T10:00:00Z", type: "viewed", attributes: { sku: "jacket-1" } },
  });

const event = eventInput.extend({ id: z.string(), userId: z.string() }).openapi("Event");

const day = z.iso.date().openapi({ example: "2025-10-28" });

/** Each day is a partition, and each partition a question to Cassandra. */
const maxDays = 31;

/** What happened to a user, in the order of time: written and read by partition. */
export function eventRoutes(app: OpenAPIHono<AppEnvironment>, client: Client): void {
  app.openapi(
    createRoute({
      method: "put",
      path: "/api/analytics/users/{userId}/events/{id}",
      summary: "Record an event; the same again changes nothing",
      request: {
        params: z.object({ userId: key.openapi({ example: "101" }), id: key.openapi({ example: "e1" }) }),
        body: jsonBody(eventInput),
      },
      responses: reply(200, "The event as stored", event),
    }),
    async (c) => {
      const { userId, id } = c.req.valid("param");
      const { at, type, attributes } = c.req.valid("json");
      const moment = new Date(at);
      await client.execute(
        "INSERT INTO events (user_id, day, at, id, type, attributes) VALUES (?, ?, ?, ?, ?, ?)",
        [userId, types.LocalDate.fromString(dayOf(moment)), moment, id, type, attributes],
      );
      return c.json({ userId, id, at: moment.toISOString(), type, attributes }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/analytics/users/{userId}/events",
      summary: "The events of a user in a span of days, the latest first",
      request: {
        params: z.object({ userId: key.openapi({ example: "101" }) }),
        query: z.object({ from: day, to: day }),
      },
      responses: reply(200, "Events", z.array(event)),
    }),
    async (c) => {
      const { userId } = c.req.valid("param");
      const { from, to } = c.req.valid("query");
      const days = countDays(from, to);
      if (days < 1 || days > maxDays) {
        throw new Problem(400, `Give from and to at most ${maxDays} days apart, the earlier one first.`);
      }
      const partitions = await Promise.all(
        daysBetween(from, to).map((partition) =>
          client.execute("SELECT * FROM events WHERE user_id = ? AND day = ?", [
            userId,
            types.LocalDate.fromString(partition),
          ]),
        ),
      );
      const events = partitions.flatMap(({ rows }) =>
        rows.map(({ id, at, type, attributes }) => ({
          userId,
          id: id as string,
          at: (at as Date).toISOString(),
          type: type as string,
          attributes: (attributes ?? {}) as Record<string, string>,
        })),
      );
      return c.json(events, 200);
    },
  );
}
