import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { labAddress } from "./lab-address.ts";
import { ShopClient } from "./shop-client.ts";

/** A gateway that knows one person. */
let server: Server;
let shop: ShopClient;
let logins: number;
let tokenTtlMs: number;
let exchanges: number;
let internalTtlMs: number;
let isExchanging: boolean;

beforeEach(async () => {
  logins = 0;
  tokenTtlMs = 3_600_000;
  exchanges = 0;
  internalTtlMs = 60_000;
  isExchanging = true;
  server = createServer(async (request, response) => {
    const { status, body } = await answerTo(request);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  shop = new ShopClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  await shop.close();
  server.close();
});

async function answerTo(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  if (request.url === "/_gateway/token") {
    exchanges += 1;
    const expiresAt = new Date(Date.now() + internalTtlMs).toISOString();
    const token = `internal-${exchanges} of ${request.headers.authorization}`;
    return isExchanging ? { status: 200, body: { token, expiresAt } } : { status: 503, body: {} };
  }
  if (request.url === "/from") {
    return { status: 200, body: request.socket.remoteAddress };
  }
  if (request.url !== "/api/users/login") {
    return { status: 200, body: { as: request.headers.authorization ?? "nobody" } };
  }
  const { password } = (await json(request)) as { password: string };
  if (password !== "right") {
    return { status: 401, body: { detail: "The password is wrong." } };
  }
  logins += 1;
  const expiresAt = new Date(Date.now() + tokenTtlMs).toISOString();
  return { status: 200, body: { token: `token-${logins}`, expiresAt, user: { id: 7 } } };
}

test("requests at once are signed in with one log-in", async () => {
  const person = await shop.login({ email: "riya@example.org", password: "right" });
  const answers = await Promise.all(Array.from({ length: 20 }, () => person.ask("GET", "/thing")));
  expect(answers).toEqual(Array(20).fill({ as: "Bearer token-1" }));
  expect(await person.id()).toBe(7);
  expect(await shop.nobody.ask("GET", "/thing")).toEqual({ as: "nobody" });
});

test("a token that is about to end is replaced, once for all requests that wait", async () => {
  tokenTtlMs = 1000;
  const person = await shop.login({ email: "riya@example.org", password: "right" });
  tokenTtlMs = 3_600_000;
  const answers = await Promise.all(Array.from({ length: 20 }, () => person.ask("GET", "/thing")));
  expect(answers).toEqual(Array(20).fill({ as: "Bearer token-2" }));
});

test("to ask an instance itself, one token of the gateway does for all who ask at once", async () => {
  const person = await shop.login({ email: "riya@example.org", password: "right" });
  const tokens = await Promise.all(Array.from({ length: 20 }, () => person.internalToken()));
  expect(tokens).toEqual(Array(20).fill("internal-1 of Bearer token-1"));
  expect(await person.internalToken()).toBe("internal-1 of Bearer token-1");
  expect(logins).toBe(1);
});

test("a token of the gateway is replaced before it ends", async () => {
  internalTtlMs = 10_000;
  const person = await shop.login({ email: "riya@example.org", password: "right" });
  expect(await person.internalToken()).toMatch(/^internal-1 /);
  internalTtlMs = 60_000;
  expect(await person.internalToken()).toMatch(/^internal-2 /);
  expect(await person.internalToken()).toMatch(/^internal-2 /);
});

test("a gateway that gives out no token now is asked again the next time", async () => {
  const person = await shop.login({ email: "riya@example.org", password: "right" });
  isExchanging = false;
  await expect(person.internalToken()).rejects.toThrow("POST /_gateway/token answered 503");
  isExchanging = true;
  expect(await person.internalToken()).toMatch(/^internal-2 /);
});

test("requests come from the address that the gateway does not limit", async () => {
  expect(await shop.nobody.ask("GET", "/from")).toBe(labAddress);
});

test("what is refused is an error that says why", async () => {
  await expect(shop.login({ email: "riya@example.org", password: "wrong" })).rejects.toThrow(
    "riya@example.org can't log in: 401, The password is wrong.",
  );
});

test("a gateway that is not there is an error with what to do", async () => {
  await new Promise((done) => server.close(done));
  await expect(shop.nobody.send("GET", "/thing")).rejects.toMatchObject({ code: "not-running" });
});
