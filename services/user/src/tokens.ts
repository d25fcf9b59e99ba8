import { randomUUID } from "node:crypto";
import type { Identity } from "@lab/service-kit";
import { SignJWT } from "jose";
import type { SigningKeys } from "./signing-keys.ts";

/** Whom a token names. */
export type Subject = Pick<Identity, "userId" | "name" | "role">;

/** Signs a token for somebody who has logged in. */
export type IssueToken = (subject: Subject) => Promise<{ token: string; expiresAt: string }>;

export interface TokenOptions {
  keys: Pick<SigningKeys, "current">;
  issuer: string;
  audience: string;
  ttlSeconds: number;
}

/** Tokens that the gateway takes: JWTs, signed with Ed25519 (RFC 8037). Each log-in has one, and is named by its `jti`. */
export function createTokens({ keys, issuer, audience, ttlSeconds }: TokenOptions): IssueToken {
  return async ({ userId, name, role }) => {
    const { kid, privateKey } = await keys.current();
    const issuedAt = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({ name, role })
      .setProtectedHeader({ alg: "EdDSA", kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(String(userId))
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ttlSeconds)
      .sign(privateKey);
    return { token, expiresAt: new Date((issuedAt + ttlSeconds) * 1000).toISOString() };
  };
}
