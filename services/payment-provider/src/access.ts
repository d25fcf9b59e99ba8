import { createHash, timingSafeEqual } from "node:crypto";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { type AppEnvironment, Problem } from "@lab/service-kit";

const scheme = "apiKey";

/** What a route that wants the API key says in the OpenAPI document. */
export const withKey = { security: [{ [scheme]: [] }] };

/**
 * Lets only those through to `/v1` who send the key as `Authorization: Bearer <key>`; others get 401.
 *
 * @param key the API key of the one customer, the shop
 */
export function wantKey(app: OpenAPIHono<AppEnvironment>, key: string): void {
  app.openAPIRegistry.registerComponent("securitySchemes", scheme, { type: "http", scheme: "bearer" });
  const expected = digest(`Bearer ${key}`);
  app.use("/v1/*", async (c, next) => {
    // Digests have one length, and comparing them takes as long for a near miss as for a far one.
    if (!timingSafeEqual(digest(c.req.header("authorization") ?? ""), expected)) {
      c.header("www-authenticate", "Bearer");
      throw new Problem(401, "Send the API key as a bearer token.");
    }
    await next();
  });
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
