import { type AppEnvironment, createAuth } from "@lab/service-kit";
import { Hono } from "hono";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { expect, test } from "vitest";
import { serve } from "../testing/serve.ts";
import { InternalTokens } from "./internal-tokens.ts";

const secret = "a secret that has 32 characters and more";
const tokensOf = (settings: Partial<ConstructorParameters<typeof InternalTokens>[0]> = {}) =>
  new InternalTokens({ secret, issuer: "gateway", audience: "shop-services", ...settings });
const nowSeconds = Math.floor(Date.now() / 1000);
const person = {
  ...{ sub: "101", name: "Riya", role: "customer" as const, jti: "a log-in" },
  ...{ iat: nowSeconds, exp: nowSeconds + 3600 },
};

/** What a service makes of a token, which has the keys of a gateway. */
async function answerOfService(
  token: string,
  gateway = tokensOf(),
): Promise<{ status: number; body: unknown }> {
  const keys = await gateway.keys();
  const { origin } = await serve((_incoming, outgoing) => outgoing.end(JSON.stringify(keys)));
  const auth = createAuth({ JWKS_URL: origin, JWT_ISSUER: "gateway", JWT_AUDIENCE: "shop-services" });
  const app = new Hono<AppEnvironment>();
  app.get("/", auth.user, (c) => c.json(c.get("identity")));
  app.onError((error, c) => c.json({ why: error.message }, (error as { status?: 401 }).status ?? 500));
  const answer = await app.request("/", { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: await answer.json() };
}

test("a service knows the person and the log-in by it", async () => {
  const { text } = await tokensOf().sign(person, nowSeconds);
  expect(await answerOfService(text)).toMatchObject({
    status: 200,
    body: { userId: 101, name: "Riya", role: "customer", sid: "a log-in", sidExpiresAt: person.exp },
  });
});

test("gateways with one secret have one key: a service takes the tokens of each", async () => {
  const [one, other] = [tokensOf(), tokensOf()];
  expect(await one.keys()).toEqual(await other.keys());
  const { text } = await one.sign(person, nowSeconds);
  expect(await answerOfService(text, other)).toMatchObject({ status: 200 });
});

test.each([
  ["made with another secret", { secret: "another secret that has 32 characters" }],
  ["of another issuer", { issuer: "somebody" }],
  ["for somebody else", { audience: "shop" }],
])("a service refuses one that was %s", async (_what, settings) => {
  const { text } = await tokensOf(settings).sign(person, nowSeconds);
  expect(await answerOfService(text)).toMatchObject({ status: 401 });
});

test("a service refuses one that has ended", async () => {
  const { text } = await tokensOf().sign(person, nowSeconds - 61);
  expect(await answerOfService(text)).toMatchObject({ status: 401 });
});

test("it lasts a minute, and no longer than the person's own", async () => {
  const long = await tokensOf().sign(person, nowSeconds);
  expect([long.exp, decodeJwt(long.text).exp]).toEqual([nowSeconds + 60, nowSeconds + 60]);
  const short = await tokensOf().sign({ ...person, exp: nowSeconds + 5 }, nowSeconds);
  expect([short.exp, decodeJwt(short.text).exp]).toEqual([nowSeconds + 5, nowSeconds + 5]);
});

test("a log-in without a name has none here, either", async () => {
  const { jti: _, ...nameless } = person;
  const { text } = await tokensOf().sign(nameless, nowSeconds);
  expect(decodeJwt(text)).not.toHaveProperty("sid");
});

test("what is published names the key of the tokens, and holds nothing private", async () => {
  const tokens = tokensOf();
  const { keys } = await tokens.keys();
  const { text } = await tokens.sign(person, nowSeconds);
  expect(keys).toEqual([
    { kty: "OKP", crv: "Ed25519", x: expect.any(String), kid: expect.any(String), alg: "EdDSA", use: "sig" },
  ]);
  expect(decodeProtectedHeader(text)).toEqual({ alg: "EdDSA", kid: keys[0]?.kid });
});
