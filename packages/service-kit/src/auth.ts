import type { Context, MiddlewareHandler } from "hono";
import { errors, jwtVerify } from "jose";
import { z } from "zod";
import { KeysAwayError, keysFrom } from "./keys.ts";
import { Problem } from "./problem.ts";

/** What a service that knows people by their tokens reads from its environment. */
export const authEnvironment = z.object({
  /** Where the gateway publishes the public key (RFC 7517) of the tokens that it puts in place of people's own. */
  JWKS_URL: z.url(),
  JWT_ISSUER: z.string().min(1),
  JWT_AUDIENCE: z.string().min(1),
});

export type AuthEnvironment = z.infer<typeof authEnvironment>;

/** Who has sent a request. */
export interface Identity {
  userId: number;
  name: string;
  role: "customer" | "admin";
  /** The token itself, to hand on to another service at once: it ends within a minute. Never log it. */
  token: string;
  /** Which log-in of the person it is: what a log-out ends. */
  sid?: string;
  /** When that log-in ends by itself, in seconds since 1970. */
  sidExpiresAt?: number;
}

export interface Auth {
  /** 401 without a valid token; sets `c.get("identity")`. */
  user: MiddlewareHandler<{ Variables: { identity: Identity } }>;
  /** Sets `identity` where there is a token; 401 for one that is not valid. */
  optional: MiddlewareHandler<{ Variables: { identity?: Identity } }>;
  /** As `user`, and 403 unless the token is an administrator's. */
  admin: MiddlewareHandler<{ Variables: { identity: Identity } }>;
}

/** For `createRoute({ ...secured, middleware: auth.user, … })`: the document says that the route wants a token. */
export const secured = { security: [{ bearer: [] as string[] }] };

const claims = z.object({
  sub: z
    .string()
    .regex(/^[1-9]\d{0,9}$/)
    .transform(Number),
  name: z.string(),
  role: z.enum(["customer", "admin"]),
  exp: z.number(),
  sid: z.string().min(1).optional(),
  sid_exp: z.number().int().optional(),
});

const maxRemembered = 10_000;

/**
 * Checks tokens of the gateway: JWTs that are signed with Ed25519 (RFC 8037), in `Authorization: Bearer`. They live for a minute:
 * whether somebody has logged out is known to the gateway, which gives out no more of them then.
 */
export function createAuth({ JWKS_URL, JWT_ISSUER, JWT_AUDIENCE }: AuthEnvironment): Auth {
  const keyOf = keysFrom(new URL(JWKS_URL));
  // A signature costs more than everything else that a small request does, so a token is checked once.
  const remembered = new Map<string, { identity: Identity; exp: number }>();

  async function verify(token: string): Promise<Identity> {
    const known = remembered.get(token);
    if (known && known.exp * 1000 > Date.now()) {
      return known.identity;
    }
    remembered.delete(token);
    const { payload } = await jwtVerify(token, keyOf, {
      algorithms: ["EdDSA"],
      issuer: JWT_ISSUER,
      audience: JWT_AUDIENCE,
      requiredClaims: ["exp", "sub"],
    });
    const { sub: userId, name, role, exp, sid, sid_exp: sidExpiresAt } = claims.parse(payload);
    const identity: Identity = { userId, name, role, token, sid, sidExpiresAt };
    makeRoom();
    remembered.set(token, { identity, exp });
    return identity;
  }

  /** Forgets tokens that have ended, of which there are many in a minute. They live equally long, so the oldest end first. */
  function makeRoom(): void {
    for (const [token, { exp }] of remembered) {
      if (remembered.size < maxRemembered && exp * 1000 > Date.now()) {
        return;
      }
      remembered.delete(token);
    }
  }

  async function identityOf(c: Context): Promise<Identity | undefined> {
    const header = c.req.header("authorization");
    if (header === undefined) {
      return undefined;
    }
    try {
      return await verify(bearerOf(header));
    } catch (error) {
      if (error instanceof KeysAwayError) {
        throw new Problem(503, "The keys that tokens are checked with can't be had. Try again in a moment.");
      }
      if (error instanceof errors.JWTExpired) {
        throw new Problem(401, "The token has expired. Ask through the gateway, which sends a new one on.");
      }
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
        throw new Problem(
          401,
          "This is no valid token of the gateway. Ask through the gateway, which sends one on in place of your own.",
        );
      }
      throw error;
    }
  }

  async function required(c: Context): Promise<Identity> {
    const identity = await identityOf(c);
    if (!identity) {
      throw new Problem(401, "This wants a token: log in, and send it as `Authorization: Bearer <token>`.");
    }
    c.set("identity", identity);
    return identity;
  }

  return {
    async user(c, next) {
      await required(c);
      await next();
    },
    async optional(c, next) {
      c.set("identity", await identityOf(c));
      await next();
    },
    async admin(c, next) {
      const { role } = await required(c);
      if (role !== "admin") {
        throw new Problem(403, "Only an administrator may do this.");
      }
      await next();
    },
  };
}

/**
 * Lets the person themself through, and administrators. For routes behind `auth.user`.
 *
 * @throws Problem 403 in the same words whether the thing exists or not
 */
export function ownOrAdmin(c: { get(name: "identity"): Identity }, userId: number): Identity {
  const identity = c.get("identity");
  if (identity.userId !== userId && identity.role !== "admin") {
    throw new Problem(403, "This is another person's. Only they and administrators may see or change it.");
  }
  return identity;
}

/**
 * The token of an `Authorization` header (RFC 6750 §2.1).
 *
 * @throws JOSEError when it is no bearer token
 */
export function bearerOf(header: string): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  if (token === undefined) {
    throw new errors.JWTInvalid("not a bearer token");
  }
  return token;
}
