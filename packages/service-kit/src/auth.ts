import type { Context, MiddlewareHandler } from "hono";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { z } from "zod";
import { Problem } from "./problem.ts";

/** What a service that knows people by their tokens reads from its environment. */
export const authEnvironment = z.object({
  /** Where the user service publishes its public keys (RFC 7517). */
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
  /** The token itself, to hand on to another service. Never log it. */
  token: string;
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

/** The keys can't be had, so that nobody can say whether a token is good. */
class KeysAwayError extends Error {
  override name = "KeysAwayError";
}

const claims = z.object({
  sub: z
    .string()
    .regex(/^[1-9]\d{0,9}$/)
    .transform(Number),
  name: z.string(),
  role: z.enum(["customer", "admin"]),
  exp: z.number(),
});

/** How long fetched keys are used before they are asked for again. */
const keysMaxAgeMs = 600_000;
/** How often a token of an unknown key may cause a fetch. The user service signs with no key that is younger than that. */
const keysCooldownMs = 1000;
const keysTimeoutMs = 2000;
/** How long after a fetch that has failed tokens of known keys don't wait for another. */
const keysRetryMs = 5000;
const maxRemembered = 10_000;

/** Checks tokens of the user service: JWTs that are signed with Ed25519 (RFC 8037), in `Authorization: Bearer`. */
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
    const { sub: userId, name, role, exp } = claims.parse(payload);
    const identity: Identity = { userId, name, role, token };
    const [oldest] = remembered.keys();
    if (remembered.size >= maxRemembered && oldest !== undefined) {
      remembered.delete(oldest);
    }
    remembered.set(token, { identity, exp });
    return identity;
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
        throw new Problem(401, "The token has expired. Log in again.");
      }
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
        throw new Problem(401, "The token is not valid. Log in again.");
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

/** The published keys; the last ones stay in use while new ones can't be fetched. */
function keysFrom(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, {
    cacheMaxAge: keysMaxAgeMs,
    cooldownDuration: keysCooldownMs,
    timeoutDuration: keysTimeoutMs,
  });
  let failedMs = Number.NEGATIVE_INFINITY;
  const lastKeyFor = async (...[header, token]: Parameters<JWTVerifyGetKey>) => {
    const last = remote.jwks();
    return last && (await createLocalJWKSet(last)(header, token).catch(() => undefined));
  };
  return async (header, token) => {
    const isPaused = performance.now() - failedMs < keysRetryMs;
    const known = isPaused ? await lastKeyFor(header, token) : undefined;
    if (known) {
      return known;
    }
    try {
      return await remote(header, token);
    } catch (error) {
      if (isAboutTheToken(error)) {
        throw error;
      }
      failedMs = performance.now();
      const key = await lastKeyFor(header, token);
      if (!key) {
        throw new KeysAwayError("no key", { cause: error });
      }
      return key;
    }
  };
}

/** Whether there are keys, and the token's is not among them. */
function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
