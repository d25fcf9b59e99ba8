import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createRoute, z } from "@hono/zod-openapi";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createApp } from "./app.ts";
import { createAuth, ownOrAdmin, secured } from "./auth.ts";
import { reply } from "./openapi.ts";

/** What the gateway is to the services: keys that are published. */
let server: Server;
let published: JWK[];
let fetches: number;
let isHanging: boolean;
let lines: string[];

beforeEach(async () => {
  published = [];
  fetches = 0;
  isHanging = false;
  lines = [];
  server = createServer((_request, response) => {
    fetches += 1;
    if (!isHanging) {
      response.end(JSON.stringify({ keys: published }));
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterEach(() => {
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
});

async function makeKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA");
  const sign = (
    claims: Record<string, unknown> = {},
    { audience = "shop", issuer = "lab", expires = "1h" as string | Date } = {},
  ) =>
    new SignJWT({ name: "Riya", role: "customer", sub: "101", ...claims })
      .setProtectedHeader({ alg: "EdDSA", kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(expires)
      .sign(privateKey);
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg: "EdDSA" }, sign };
}

function appWithAuth() {
  const { port } = server.address() as AddressInfo;
  const auth = createAuth({
    JWKS_URL: `http://127.0.0.1:${port}/keys`,
    JWT_ISSUER: "lab",
    JWT_AUDIENCE: "shop",
  });
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const app = createApp({ name: "test", description: "", log, isStopping: () => false });
  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/people/{id}",
      middleware: auth.user,
      request: { params: z.object({ id: z.coerce.number() }) },
      responses: reply(
        200,
        "Who asks",
        z.object({
          userId: z.number(),
          role: z.string(),
          sid: z.string().optional(),
          sidExpiresAt: z.number().optional(),
        }),
      ),
    }),
    (c) => {
      const { userId, role, sid, sidExpiresAt } = ownOrAdmin(c, c.req.valid("param").id);
      return c.json({ userId, role, sid, sidExpiresAt }, 200);
    },
  );
  app.get("/anybody", auth.optional, (c) => c.json({ name: c.get("identity")?.name ?? "nobody" }));
  app.get("/admin", auth.admin, (c) => c.json({ name: c.get("identity").name }));
  const get = async (path: string, token?: string) => {
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    return app.request(path, { headers });
  };
  return { app, get };
}

test("a person sees what is theirs, an administrator everything, a stranger nothing", async () => {
  const key = await makeKey("one");
  published = [key.jwk];
  const { get } = appWithAuth();
  const own = await get("/people/101", await key.sign());
  expect([own.status, await own.json()]).toEqual([200, { userId: 101, role: "customer" }]);
  expect((await get("/people/102", await key.sign())).status).toBe(403);
  expect((await get("/people/102", await key.sign({ role: "admin" }))).status).toBe(200);
  expect((await get("/admin", await key.sign())).status).toBe(403);
  expect((await get("/admin", await key.sign({ role: "admin" }))).status).toBe(200);
  const without = await get("/people/101");
  expect(without.status).toBe(401);
  expect(without.headers.get("www-authenticate")).toBe("Bearer");
  expect((await get("/anybody")).status).toBe(200);
});

test("a token says which log-in it is of, where the log-in has a name", async () => {
  const key = await makeKey("one");
  published = [key.jwk];
  const { get } = appWithAuth();
  const login = { sid: "2f1c7a52-3c5a-4d0e-9f64-0f6f0c8f1b11", sid_exp: 1_900_000_000 };
  expect(await (await get("/people/101", await key.sign(login))).json()).toEqual({
    userId: 101,
    role: "customer",
    sid: login.sid,
    sidExpiresAt: login.sid_exp,
  });
  expect((await get("/people/101", await key.sign({ ...login, sid: 7 }))).status).toBe(401);
});

test("tokens that are not the gateway's, not for services, or no longer good are refused", async () => {
  const [key, foreign] = await Promise.all([makeKey("one"), makeKey("one")]);
  published = [key.jwk];
  const { get } = appWithAuth();
  const refused = [
    "nonsense",
    await foreign.sign(),
    await key.sign({}, { audience: "elsewhere" }),
    await key.sign({}, { issuer: "elsewhere" }),
    await key.sign({}, { expires: new Date(Date.now() - 1000) }),
    await key.sign({ role: "root" }),
    await key.sign({ sub: "0" }),
    unsigned({ sub: "101", name: "Riya", role: "admin", iss: "lab", aud: "shop", exp: 9_999_999_999 }),
  ];
  for (const token of refused) {
    expect((await get("/people/101", token)).status, token).toBe(401);
    expect((await get("/anybody", token)).status, token).toBe(401);
  }
  expect(lines.join("")).not.toContain(refused[1]);
});

function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.`;
}

test("a token is good until it expires, though it was seen before", async () => {
  const key = await makeKey("one");
  published = [key.jwk];
  const { get } = appWithAuth();
  const token = await key.sign({}, { expires: new Date(Date.now() + 1500) });
  expect((await get("/people/101", token)).status).toBe(200);
  await expect.poll(async () => (await get("/people/101", token)).status, { timeout: 10_000 }).toBe(401);
});

test("keys change without anybody being logged out, and known ones outlive the server that publishes them", async () => {
  const [first, second, third] = await Promise.all([makeKey("one"), makeKey("two"), makeKey("three")]);
  published = [first.jwk];
  const { get } = appWithAuth();
  expect((await get("/people/101", await first.sign())).status).toBe(200);
  published = [first.jwk, second.jwk];
  const token = await second.sign();
  await expect.poll(async () => (await get("/people/101", token)).status, { timeout: 10_000 }).toBe(200);
  expect((await get("/people/101", await first.sign({ name: "again" }))).status).toBe(200);
  server.closeAllConnections();
  server.close();
  expect((await get("/people/101", await second.sign({ name: "again" }))).status).toBe(200);
  const unknown = await third.sign();
  await expect.poll(async () => (await get("/people/101", unknown)).status, { timeout: 10_000 }).toBe(503);
  expect((await get("/people/101", unknown)).headers.get("retry-after")).toBe("1");
});

test("while keys can't be fetched, not every new token waits for them", async () => {
  const key = await makeKey("one");
  published = [key.jwk];
  const { get } = appWithAuth();
  expect((await get("/people/101", await key.sign())).status).toBe(200);
  isHanging = true;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11 * 60_000 });
  for (const name of ["first", "second", "third"]) {
    expect((await get("/people/101", await key.sign({ name }))).status).toBe(200);
  }
  expect(fetches).toBe(2);
});

test("tokens of unknown keys don't make it ask for keys again and again", async () => {
  const [known, unknown] = await Promise.all([makeKey("one"), makeKey("two")]);
  published = [known.jwk];
  const { get } = appWithAuth();
  const token = await unknown.sign();
  await Promise.all(Array.from({ length: 50 }, () => get("/people/101", token)));
  expect(fetches).toBeLessThanOrEqual(2);
});

test("the document says which routes want a token", async () => {
  const { app } = appWithAuth();
  expect(await (await app.request("/openapi.json")).json()).toMatchObject({
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    paths: { "/people/{id}": { get: { security: [{ bearer: [] }] } } },
  });
});
