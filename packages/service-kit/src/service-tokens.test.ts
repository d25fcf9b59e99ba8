import { Hono } from "hono";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { Problem } from "./problem.ts";
import { createServiceTokens } from "./service-tokens.ts";

const key = "0123456789abcdef0123456789abcdef";

function called(): (token?: string) => Promise<number> {
  const app = new Hono();
  app.onError((error, c) => c.body(null, error instanceof Problem ? error.status : 500));
  app.post("/", createServiceTokens({ key, name: "payment" }).only("order"), (c) => c.body(null, 204));
  return async (token) => {
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    return (await app.request("/", { method: "POST", headers })).status;
  };
}

test("a service lets those in that it knows, with a token for it", async () => {
  const call = called();
  const order = createServiceTokens({ key, name: "order" });
  expect(await call(await order.sign("payment"))).toBe(204);
  expect(await call(await order.sign("notification"))).toBe(401);
  expect(await call(await createServiceTokens({ key, name: "cart" }).sign("payment"))).toBe(403);
  const other = createServiceTokens({ key: key.replaceAll("0", "1"), name: "order" });
  expect(await call(await other.sign("payment"))).toBe(401);
  expect(await call()).toBe(401);
  expect(await call("nonsense")).toBe(401);
});

test("a token has an end", async () => {
  const old = await new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("order")
    .setAudience("payment")
    .setExpirationTime(new Date(Date.now() - 1000))
    .sign(new TextEncoder().encode(key));
  expect(await called()(old)).toBe(401);
});
