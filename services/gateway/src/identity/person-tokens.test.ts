import { createPublicKey } from "node:crypto";
import {
  type CryptoKey,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { beforeAll, expect, test } from "vitest";
import { type PersonTokenOptions, TokenError, verifyPersonToken } from "./person-tokens.ts";

const claims = { name: "Riya", role: "customer", jti: "0c2d7f0a-7a53-4a39-9d76-9f1d1f4c3f51" };

let privateKey: CryptoKey;
let publicKey: CryptoKey;
let otherKey: CryptoKey;
let options: PersonTokenOptions;

beforeAll(async () => {
  const [own, other] = await Promise.all([
    generateKeyPair("EdDSA", { extractable: true }),
    generateKeyPair("EdDSA"),
  ]);
  ({ privateKey, publicKey } = own);
  otherKey = other.privateKey;
  const keys = [{ ...(await exportJWK(publicKey)), kid: "own", alg: "EdDSA" }];
  options = { keyOf: createLocalJWKSet({ keys }), issuer: "polyglot-lab", audience: "shop" };
});

/** A token that is good, but for what is said of it. */
function tokenWith({
  issuer = "polyglot-lab",
  audience = "shop",
  subject = "101",
  expires = "1h" as string | null,
  issued = true,
  own = claims as Record<string, unknown>,
} = {}) {
  const token = new SignJWT(own).setIssuer(issuer).setAudience(audience).setSubject(subject);
  if (issued) {
    token.setIssuedAt();
  }
  if (expires !== null) {
    token.setExpirationTime(expires);
  }
  return token;
}

const signed = (token = tokenWith(), header: JWTHeaderParameters = { alg: "EdDSA", kid: "own" }) =>
  token.setProtectedHeader(header).sign(privateKey);
const verify = (token: string) => verifyPersonToken(token, options);

test("a good token says who it is", async () => {
  expect(await verify(await signed())).toMatchObject({ sub: "101", ...claims });
});

test("a token from before log-outs could name it is good, too", async () => {
  expect(await verify(await signed(tokenWith({ own: { name: "Riya", role: "admin" } })))).toMatchObject({
    sub: "101",
    role: "admin",
  });
});

const notValid = new TokenError("The token is not valid. Log in again.");

test.each<[string, () => Promise<string> | string]>([
  [
    "without a signature (alg none)",
    () =>
      new UnsecuredJWT(claims).setIssuer("polyglot-lab").setAudience("shop").setExpirationTime("1h").encode(),
  ],
  [
    "of HMAC with the public key as its secret",
    async () => {
      const { x } = await exportJWK(publicKey);
      const secret = Buffer.from(x ?? "", "base64url");
      return tokenWith().setProtectedHeader({ alg: "HS256", kid: "own" }).sign(secret);
    },
  ],
  [
    "of HMAC with the public key's text as its secret",
    async () => {
      const text = createPublicKey({ key: await exportJWK(publicKey), format: "jwk" });
      const secret = Buffer.from(text.export({ type: "spki", format: "pem" }));
      return tokenWith().setProtectedHeader({ alg: "HS256" }).sign(secret);
    },
  ],
  [
    "of RS256",
    async () => {
      const rsa = await generateKeyPair("RS256");
      return tokenWith().setProtectedHeader({ alg: "RS256", kid: "own" }).sign(rsa.privateKey);
    },
  ],
  [
    "of ES256",
    async () => {
      const ec = await generateKeyPair("ES256");
      return tokenWith().setProtectedHeader({ alg: "ES256", kid: "own" }).sign(ec.privateKey);
    },
  ],
  [
    "of another key under the name of ours",
    () => tokenWith().setProtectedHeader({ alg: "EdDSA", kid: "own" }).sign(otherKey),
  ],
  ["of a key that nobody knows", () => signed(tokenWith(), { alg: "EdDSA", kid: "made up" })],
  [
    "that brings its own key",
    async () => {
      const pair = await generateKeyPair("EdDSA", { extractable: true });
      const jwk = await exportJWK(pair.publicKey);
      return tokenWith().setProtectedHeader({ alg: "EdDSA", jwk }).sign(pair.privateKey);
    },
  ],
  ["of another issuer", () => signed(tokenWith({ issuer: "gateway" }))],
  ["for somebody else", () => signed(tokenWith({ audience: "shop-services" }))],
  ["without an end", () => signed(tokenWith({ expires: null }))],
  ["without a time of issue", () => signed(tokenWith({ issued: false }))],
  ["of no user", () => signed(tokenWith({ subject: "root" }))],
  ["of no role", () => signed(tokenWith({ own: { name: "Riya", role: "owner" } }))],
  ["that isn't any", () => "not.a.token"],
  ["that is empty", () => ""],
])("a token %s is refused", async (_what, token) => {
  await expect(verify(await token())).rejects.toThrow(notValid);
});

test("a token whose claims were changed is refused", async () => {
  const [header, payload, signature] = (await signed()).split(".");
  const changed = JSON.parse(Buffer.from(payload ?? "", "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...changed, role: "admin" })).toString("base64url");
  await expect(verify(`${header}.${forged}.${signature}`)).rejects.toThrow(notValid);
});

test("one that has ended is refused in words of its own", async () => {
  await expect(verify(await signed(tokenWith({ expires: "1s ago" })))).rejects.toThrow(
    new TokenError("The token has expired. Log in again."),
  );
});

test("when keys can't be had, the token isn't called bad", async () => {
  const away = new Error("no keys");
  const keyOf = () => Promise.reject(away);
  await expect(verifyPersonToken(await signed(), { ...options, keyOf })).rejects.toBe(away);
});
