import { errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { z } from "zod";

const claims = z.object({
  sub: z.string().regex(/^[1-9]\d{0,9}$/),
  name: z.string(),
  role: z.enum(["customer", "admin"]),
  jti: z.string().optional(),
  iat: z.number(),
  exp: z.number(),
});

/** What a person's token says. */
export type PersonClaims = z.infer<typeof claims>;

/** A token that is no good; the message is for its sender. */
export class TokenError extends Error {
  override name = "TokenError";
}

export interface PersonTokenOptions {
  keyOf: JWTVerifyGetKey;
  issuer: string;
  audience: string;
}

/**
 * Checks the tokens that the user service gives to people: JWTs, signed with Ed25519 (RFC 8037) and with nothing else, of one
 * issuer, for one audience.
 *
 * @throws TokenError when it is not good, KeysAwayError when nobody can say
 */
export async function verifyPersonToken(
  token: string,
  { keyOf, issuer, audience }: PersonTokenOptions,
): Promise<PersonClaims> {
  try {
    const { payload } = await jwtVerify(token, keyOf, {
      algorithms: ["EdDSA"],
      issuer,
      audience,
      requiredClaims: ["exp", "iat", "sub"],
    });
    return claims.parse(payload);
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new TokenError("The token has expired. Log in again.");
    }
    if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
      throw new TokenError("The token is not valid. Log in again.");
    }
    throw error;
  }
}
