import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK, SignJWT } from "jose";
import type { PersonClaims } from "./person-tokens.ts";

export interface InternalTokenOptions {
  /** What the key derives from: the same for all instances of the gateway. */
  secret: string;
  issuer: string;
  audience: string;
}

/** A token that services take. */
export interface InternalToken {
  text: string;
  /** Seconds since 1970. */
  exp: number;
}

/** How long a token is good for, in seconds. */
const lifetimeSeconds = 60;

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410 §7). */
const pkcs8Header = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Signs the tokens by which services know whose request it is. Callers can't make one: the key never leaves the gateway, and
 * services know its public part only.
 */
export class InternalTokens {
  readonly #options: InternalTokenOptions;
  readonly #key: KeyObject;
  readonly #publicKey: Promise<JWK & { kid: string }>;

  constructor(options: InternalTokenOptions) {
    this.#options = options;
    const seed = Buffer.from(hkdfSync("sha256", options.secret, "", "polyglot-lab internal tokens", 32));
    this.#key = createPrivateKey({
      key: Buffer.concat([pkcs8Header, seed]),
      format: "der",
      type: "pkcs8",
    });
    this.#publicKey = published(createPublicKey(this.#key));
  }

  /** The public keys (RFC 7517) that services check tokens with. */
  async keys(): Promise<{ keys: JWK[] }> {
    return { keys: [await this.#publicKey] };
  }

  /** A token for the requests of a person, no longer good than their own. */
  async sign({ sub, name, role, jti, exp }: PersonClaims, nowSeconds: number): Promise<InternalToken> {
    const { issuer, audience } = this.#options;
    const end = Math.min(nowSeconds + lifetimeSeconds, exp);
    const { kid } = await this.#publicKey;
    const text = await new SignJWT({ name, role, ...(jti && { sid: jti, sid_exp: exp }) })
      .setProtectedHeader({ alg: "EdDSA", kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(sub)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(end)
      .sign(this.#key);
    return { text, exp: end };
  }
}

async function published(key: KeyObject): Promise<JWK & { kid: string }> {
  const jwk = await exportJWK(key);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: "EdDSA", use: "sig" };
}
