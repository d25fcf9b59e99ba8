import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type AppEnvironment,
  bearerOf,
  done,
  jsonBody,
  KeysAwayError,
  Problem,
  type PublicKeys,
  publicKeysSchema,
  reply,
  secured,
} from "@lab/service-kit";
import { errors } from "jose";
import type { Identities } from "./identity/identities.ts";
import type { InternalTokens } from "./identity/internal-tokens.ts";
import { TokenError } from "./identity/person-tokens.ts";
import { localOnly } from "./local-only.ts";
import type { CurrentPolicies } from "./policies/current-policies.ts";
import { PoliciesError } from "./policies/policies.ts";
import type { GatewayReport } from "./report.ts";
import type { RouteTable } from "./routes.ts";

export interface OwnRoutesOptions {
  routes: RouteTable;
  identities: Identities;
  internalTokens: InternalTokens;
  current: CurrentPolicies;
  report(): GatewayReport;
}

const token = z.object({ token: z.string(), expiresAt: z.iso.datetime() }).openapi("InternalToken");

/** What the gateway answers itself. */
export function ownRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { routes, identities, internalTokens, current, report }: OwnRoutesOptions,
): void {
  app.get("/", (c) =>
    c.json({
      documentation: "/docs/",
      routes: routes.destinations.map(({ prefix, service }) => ({ prefix, service })),
    }),
  );

  app.use("/_gateway/endpoints", localOnly);
  app.openapi(
    createRoute({
      method: "get",
      path: "/_gateway/endpoints",
      summary: "Each instance of each service as this gateway sees it, and why; for this machine only",
      responses: reply(200, "What the gateway knows", z.looseObject({}).openapi("GatewayReport")),
    }),
    (c) => c.json({ ...report() }, 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/_gateway/jwks.json",
      summary: "The public key (RFC 7517) that services check the gateway's tokens with",
      responses: reply(200, "The keys", publicKeysSchema),
    }),
    async (c) => c.json((await internalTokens.keys()) as PublicKeys, 200),
  );

  app.use("/_gateway/policies/check", localOnly);
  app.openapi(
    createRoute({
      method: "post",
      path: "/_gateway/policies/check",
      summary: "Whether policies can be laid over those of the configuration; for this machine only",
      request: { body: jsonBody(z.looseObject({})) },
      responses: done("They can; 422 says why not"),
    }),
    async (c) => {
      try {
        current.check(await c.req.text());
      } catch (error) {
        throw error instanceof PoliciesError ? new Problem(422, error.message) : error;
      }
      return c.body(null, 204);
    },
  );

  app.use("/_gateway/token", localOnly);
  app.openapi(
    createRoute({
      ...secured,
      method: "post",
      path: "/_gateway/token",
      summary: "A token that services take, for somebody's own; for this machine only",
      responses: reply(200, "Good for a minute", token),
    }),
    async (c) => {
      const { text, exp } = await internalTokenFor(identities, c.req.header("authorization"));
      return c.json({ token: text, expiresAt: new Date(exp * 1000).toISOString() }, 200);
    },
  );
}

async function internalTokenFor(identities: Identities, authorization: string | undefined) {
  try {
    return (await identities.of(bearerOf(authorization ?? ""))).internal;
  } catch (error) {
    if (error instanceof KeysAwayError) {
      throw new Problem(503, "The keys that tokens are checked with can't be had. Try again in a moment.");
    }
    if (error instanceof TokenError) {
      throw new Problem(401, error.message);
    }
    if (error instanceof errors.JOSEError) {
      throw new Problem(401, "This wants a token: log in, and send it as `Authorization: Bearer <token>`.");
    }
    throw error;
  }
}
