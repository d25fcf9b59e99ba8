import type { MiddlewareHandler } from "hono";
import { errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { bearerOf } from "./auth.ts";
import { Problem } from "./problem.ts";

/** What a service that calls others, or is called by them, reads from its environment. */
export const serviceTokenEnvironment = z.object({
  /** Shared by the services that call each other. */
  SERVICE_TOKEN_KEY: z.string().min(32),
});

export interface ServiceTokens {
  /** A token for a call to the service `audience`, good for a minute. */
  sign(audience: string): Promise<string>;
  /** Lets calls of these services through; 401 without a valid token, 403 for another service. */
  only(...callers: string[]): MiddlewareHandler;
}

const lifetime = "60s";

/**
 * Tokens by which services know each other (JWT, HS256): issued by the caller, for one callee. People have tokens of another
 * kind, see `createAuth`.
 *
 * @param name the service's own
 */
export function createServiceTokens({ key, name }: { key: string; name: string }): ServiceTokens {
  const secret = new TextEncoder().encode(key);
  return {
    sign: (audience) =>
      new SignJWT()
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(name)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(lifetime)
        .sign(secret),
    only: (...callers) =>
      async function onlyServices(c, next) {
        const caller = await callerOf(c.req.header("authorization") ?? "");
        if (caller === undefined) {
          throw new Problem(401, "This is for other services, which send a token of theirs.");
        }
        if (!callers.includes(caller)) {
          throw new Problem(403, `${caller} has no business here.`);
        }
        await next();
      },
  };

  async function callerOf(header: string): Promise<string | undefined> {
    try {
      const { payload } = await jwtVerify(bearerOf(header), secret, {
        algorithms: ["HS256"],
        audience: name,
        requiredClaims: ["iss", "exp"],
      });
      return payload.iss;
    } catch (error) {
      if (error instanceof errors.JOSEError) {
        return undefined;
      }
      throw error;
    }
  }
}
