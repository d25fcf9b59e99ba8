import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type AppEnvironment,
  type Auth,
  cacheable,
  type PublicKeys,
  publicKeysSchema,
  reply,
  secured,
} from "@lab/service-kit";
import type { SigningKeys } from "./signing-keys.ts";

/** The keys that the services check tokens with. */
export function keyRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { keys, auth }: { keys: SigningKeys; auth: Auth },
): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/users/jwks.json",
      // A key is published 10 s before it signs.
      middleware: cacheable("public, max-age=2, stale-while-revalidate=5, stale-if-error=3600"),
      summary:
        "The public keys (RFC 7517): the one that signs, the next one, and those whose tokens are still good",
      responses: reply(200, "The keys", publicKeysSchema),
    }),
    async (c) => c.json({ keys: await keys.published() } as PublicKeys, 200),
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "post",
      path: "/api/users/keys/rotate",
      summary: "Make a new key. It signs a moment later; nobody is logged out",
      middleware: auth.admin,
      responses: reply(
        201,
        "The new key",
        z.object({ kid: z.string(), signsFrom: z.iso.datetime() }).openapi("Rotation"),
      ),
    }),
    async (c) => {
      const { kid, signsFrom } = await keys.rotate();
      c.get("log").info({ kid, signsFrom }, "the signing key is rotated");
      return c.json({ kid, signsFrom: signsFrom.toISOString() }, 201);
    },
  );
}
