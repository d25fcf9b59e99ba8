import { beforeEach, expect, test } from "vitest";
import { Identities } from "./identities.ts";
import { type PersonClaims, TokenError } from "./person-tokens.ts";

let nowSeconds: number;
let checks: string[];
let signs: number;
let revoked: Set<string>;

beforeEach(() => {
  nowSeconds = 1_000_000;
  checks = [];
  signs = 0;
  revoked = new Set();
});

/** Tokens are JSON here; `bad` is none. Internal tokens last a minute, as the real ones. */
function identitiesWith(): Identities {
  return new Identities({
    async verify(token) {
      checks.push(token);
      if (token === "bad") {
        throw new TokenError("The token is not valid. Log in again.");
      }
      return JSON.parse(token) as PersonClaims;
    },
    async sign(claims, now) {
      signs += 1;
      return { text: `internal ${claims.sub} ${signs}`, exp: Math.min(now + 60, claims.exp) };
    },
    isRevoked: ({ jti = "" }) => revoked.has(jti),
    now: () => nowSeconds * 1000,
  });
}

const tokenOf = (sub: string, livesSeconds = 3600) =>
  JSON.stringify({
    sub,
    name: "Riya",
    role: "customer",
    jti: `login ${sub}`,
    iat: nowSeconds,
    exp: nowSeconds + livesSeconds,
  });

test("a token is checked once, and known at once afterwards", async () => {
  const identities = identitiesWith();
  const token = tokenOf("101");
  const first = await identities.of(token);
  expect(first.claims.sub).toBe("101");
  expect(identities.of(token)).toBe(first);
  expect(checks).toEqual([token]);
});

test("many requests at once with one token wait for one check", async () => {
  const identities = identitiesWith();
  const token = tokenOf("101");
  const all = await Promise.all(Array.from({ length: 50 }, () => identities.of(token)));
  expect(new Set(all).size).toBe(1);
  expect([checks.length, signs]).toEqual([1, 1]);
});

test("two people are two people", async () => {
  const identities = identitiesWith();
  const [riya, arjun] = await Promise.all([identities.of(tokenOf("101")), identities.of(tokenOf("102"))]);
  expect([riya.claims.sub, arjun.claims.sub]).toEqual(["101", "102"]);
  expect(riya.internal.text).not.toBe(arjun.internal.text);
});

test("a token is not remembered beyond its end", async () => {
  const identities = identitiesWith();
  const token = tokenOf("101", 90);
  await identities.of(token);
  nowSeconds += 90;
  expect(() => identities.of(token)).toThrow(new TokenError("The token has expired. Log in again."));
});

test("services get another token half a minute before theirs ends, without another check", async () => {
  const identities = identitiesWith();
  const token = tokenOf("101");
  const first = await identities.of(token);
  nowSeconds += 29;
  expect(identities.of(token)).toBe(first);
  nowSeconds += 1;
  const [second, same] = await Promise.all([identities.of(token), identities.of(token)]);
  expect(second.internal.exp).toBe(nowSeconds + 60);
  expect(same).toBe(second);
  expect([checks.length, signs]).toEqual([1, 2]);
});

test("near the end of a person's token, when no longer one can be had, it isn't signed anew each time", async () => {
  const identities = identitiesWith();
  const token = tokenOf("101", 20);
  const first = await identities.of(token);
  nowSeconds += 19;
  expect(identities.of(token)).toBe(first);
  expect(signs).toBe(1);
});

test("a log-out ends a token that is remembered", async () => {
  const identities = identitiesWith();
  const token = tokenOf("101");
  await identities.of(token);
  revoked.add("login 101");
  expect(() => identities.of(token)).toThrow(new TokenError("The token was logged out. Log in again."));
  expect((await identities.of(tokenOf("102"))).claims.sub).toBe("102");
});

test("a token that was logged out before it was seen is refused", async () => {
  const identities = identitiesWith();
  revoked.add("login 101");
  await expect(identities.of(tokenOf("101"))).rejects.toThrow("The token was logged out. Log in again.");
  expect(signs).toBe(0);
});

test("a bad token is refused for all who send it at once, and checked again the next time", async () => {
  const identities = identitiesWith();
  const results = await Promise.allSettled([identities.of("bad"), identities.of("bad")]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(checks).toEqual(["bad"]);
  await expect(identities.of("bad")).rejects.toThrow(TokenError);
  expect(checks).toEqual(["bad", "bad"]);
});
