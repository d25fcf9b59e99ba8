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
import type { Redis } from "ioredis";

const byId = z.object({ id: z.coerce.number().int().min(1).openapi({ example: 101 }) });

const profile = z.record(z.string(), z.unknown()).openapi("Profile", {
  example: { name: "Riya", age: 22, city: "Pune" },
});

const maxTtlSeconds = 366 * 86_400;

/** Profiles at keys such as `user:101`: a value that Redis doesn't look into, found by its key and in no other way. */
export function profileRoutes(app: OpenAPIHono<AppEnvironment>, auth: Auth, redis: Redis): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/cart/profiles/{id}",
      summary: "The value at user:<id>, for that person",
      middleware: auth.user,
      request: { params: byId },
      responses: reply(200, "The value", profile),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      ownOrAdmin(c, id);
      const value = await redis.get(profileKeyOf(id));
      if (value === null) {
        throw new Problem(404, `There is no key ${profileKeyOf(id)}.`);
      }
      return c.json(JSON.parse(value) as z.infer<typeof profile>, 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/cart/profiles/{id}",
      summary: "Set the value at user:<id>, for good or for a while; for administrators",
      middleware: auth.admin,
      request: {
        params: byId,
        query: z.object({ expiresInSeconds: z.coerce.number().int().min(1).max(maxTtlSeconds).optional() }),
        body: jsonBody(profile),
      },
      responses: reply(200, "The value as stored", profile),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const { expiresInSeconds } = c.req.valid("query");
      const value = c.req.valid("json");
      const text = JSON.stringify(value);
      await (expiresInSeconds === undefined
        ? redis.set(profileKeyOf(id), text)
        : redis.set(profileKeyOf(id), text, "EX", expiresInSeconds));
      return c.json(value, 200);
    },
  );
}

/** The key of a profile. */
export function profileKeyOf(userId: number): string {
  return `user:${userId}`;
}
