import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../tests/servers/redis.ts";
import type { ServiceProcess } from "../../../tests/servers/service.ts";
import { ServiceWorld, type Who } from "../../../tests/support/service-world.ts";
import { until } from "../../../tests/support/until.ts";

interface Cart {
  owner: string;
  items: Array<{ sku: string; quantity: number }>;
  expiresInSeconds: number | null;
}

let server: RedisServer;
let redis: Redis;
let world: ServiceWorld;
let number = 1000;

beforeAll(async () => {
  server = await startRedis();
  redis = server.connect();
  world = await ServiceWorld.start("cart", { ...server.environmentOf("cart"), CART_TTL_SECONDS: "600" });
});

afterAll(async () => {
  redis?.disconnect();
  await world?.stop();
  await server?.stop();
});

/** Someone who has no cart yet. */
function newPerson(): number {
  number += 1;
  return number;
}

function anonymous(): string {
  return `anon-${randomUUID()}`;
}

function put(who: Who, cart: string, sku: string, quantity: number, url?: string) {
  return world.ask<Cart>(who, "PUT", `/api/cart/${cart}/items/${sku}`, { quantity }, url);
}

async function itemsOf(who: Who, cart = "me", url?: string): Promise<Record<string, number>> {
  const { status, body } = await world.ask<Cart>(who, "GET", `/api/cart/${cart}`, undefined, url);
  expect(status).toBe(200);
  return Object.fromEntries(body.items.map(({ sku, quantity }) => [sku, quantity]));
}

function merge(who: Who, from: string, url?: string) {
  return world.ask<Cart>(who, "POST", "/api/cart/merge", { from }, url);
}

/** Both ways to keep carts answer in the same way, as long as they live. */
describe.each(["redis", "memory"])("with carts in %s", (store) => {
  let instance: ServiceProcess;
  let url: string;

  beforeAll(async () => {
    instance = await world.startAnother({ CART_STORE: store });
    url = instance.url;
  });

  afterAll(() => instance.kill());

  test("a cart is filled, changed, emptied and filled again", async () => {
    const person = newPerson();
    expect((await world.ask(person, "GET", "/api/cart/me", undefined, url)).body).toEqual({
      owner: String(person),
      items: [],
      expiresInSeconds: null,
    });
    await put(person, "me", "tea-1", 2, url);
    const { body } = await put(person, "me", "book-1", 1, url);
    expect(body.items).toEqual([
      { sku: "book-1", quantity: 1 },
      { sku: "tea-1", quantity: 2 },
    ]);
    expect(body.expiresInSeconds).toBeGreaterThan(590);
    await put(person, "me", "tea-1", 0, url);
    expect(await itemsOf(person, "me", url)).toEqual({ "book-1": 1 });
    expect((await put(person, "me", "book-1", 0, url)).body.expiresInSeconds).toBeNull();
    await put(person, "me", "book-1", 5, url);
    expect((await world.ask(person, "DELETE", "/api/cart/me", undefined, url)).status).toBe(204);
    expect(await itemsOf(person, "me", url)).toEqual({});
  });

  test("a person's cart is theirs alone", async () => {
    const person = newPerson();
    await put(person, "me", "tea-1", 2, url);
    expect(await itemsOf(newPerson(), "me", url)).toEqual({});
    for (const path of ["/api/cart/me", `/api/cart/${person}`, `/api/cart/cart:${person}`]) {
      const { status } = await world.ask("nobody", "GET", path, undefined, url);
      expect([400, 401], path).toContain(status);
    }
    for (const who of [newPerson(), "admin"] as const) {
      expect((await world.ask(who, "GET", `/api/cart/${person}`, undefined, url)).status).toBe(400);
      expect((await put(who, String(person), "tea-1", 9, url)).status).toBe(400);
      expect((await world.ask(who, "DELETE", `/api/cart/${person}`, undefined, url)).status).toBe(400);
      expect((await merge(who, String(person), url)).status).toBe(400);
    }
    expect(await itemsOf(person, "me", url)).toEqual({ "tea-1": 2 });
  });

  test("an anonymous cart wants no token, and an id that nobody guesses", async () => {
    const cart = anonymous();
    expect((await put("nobody", cart, "tea-1", 2, url)).body.owner).toBe(cart);
    expect(await itemsOf("nobody", cart, url)).toEqual({ "tea-1": 2 });
    for (const guessed of ["anon-1", "anon-", "anon-00000000-0000-0000-0000-000000000001", `${cart}x`]) {
      expect((await put("nobody", guessed, "tea-1", 2, url)).status, guessed).toBe(400);
    }
  });

  test("it is taken along at the log-in, once, and quantities are added up", async () => {
    const [person, cart] = [newPerson(), anonymous()];
    await put(person, "me", "tea-1", 999, url);
    await put("nobody", cart, "tea-1", 3, url);
    await put("nobody", cart, "book-1", 1, url);
    const answers = await Promise.all(Array.from({ length: 10 }, () => merge(person, cart, url)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(await itemsOf(person, "me", url)).toEqual({ "book-1": 1, "tea-1": 1000 });
    expect(await itemsOf("nobody", cart, url)).toEqual({});
    expect((await merge("nobody", cart, url)).status).toBe(401);
  });

  test("of two people who take the same one along, one has it", async () => {
    const [one, other, cart] = [newPerson(), newPerson(), anonymous()];
    await put("nobody", cart, "tea-1", 3, url);
    await Promise.all([merge(one, cart, url), merge(other, cart, url)]);
    const carts = [await itemsOf(one, "me", url), await itemsOf(other, "me", url)];
    expect(carts).toContainEqual({ "tea-1": 3 });
    expect(carts).toContainEqual({});
  });

  test("a cart holds 100 products, a merge included", async () => {
    const [person, cart] = [newPerson(), anonymous()];
    for (let index = 0; index < 100; index++) {
      await put(person, "me", `p-${index}`, 1, url);
    }
    expect((await put(person, "me", "p-100", 1, url)).status).toBe(409);
    expect((await put(person, "me", "p-99", 7, url)).status).toBe(200);
    await put("nobody", cart, "p-99", 1, url);
    expect((await merge(person, cart, url)).status).toBe(200);
    await put("nobody", cart, "p-1", 1, url);
    await put("nobody", cart, "p-100", 1, url);
    expect((await merge(person, cart, url)).status).toBe(409);
    expect(await itemsOf("nobody", cart, url)).toEqual({ "p-1": 1, "p-100": 1 });
    expect((await itemsOf(person, "me", url))["p-1"]).toBe(1);
    expect((await put(person, "me", "p-1", 1001, url)).status).toBe(400);
  });
});

test("after its instance has died, a cart in Redis is there, and one in its memory is not", async () => {
  const person = newPerson();
  const stateful = await world.startAnother({ CART_STORE: "memory" });
  await put(person, "me", "tea-1", 1);
  await put(person, "me", "tea-1", 1, stateful.url);
  await Promise.all([world.service.kill(), stateful.kill()]);
  world.service = await world.startAnother();
  const next = await world.startAnother({ CART_STORE: "memory" });
  try {
    await until("it to be ready", () => world.isReady());
    expect(await itemsOf(person)).toEqual({ "tea-1": 1 });
    expect(await itemsOf(person, "me", next.url)).toEqual({});
  } finally {
    await next.kill();
  }
});

test("a cart is gone when nobody has touched it for a while", async () => {
  const person = newPerson();
  const shortLived = await world.startAnother({ CART_TTL_SECONDS: "1" });
  try {
    await put(person, "me", "tea-1", 1, shortLived.url);
    await until("it to expire", async () => Object.keys(await itemsOf(person)).length === 0);
  } finally {
    await shortLived.kill();
  }
});

test("a merge is told, one that moved nothing is not", async () => {
  const [person, cart] = [newPerson(), anonymous()];
  await merge(person, cart);
  await put("nobody", cart, "tea-1", 3);
  await put("nobody", cart, "book-1", 3);
  await merge(person, cart);
  await merge(person, cart);
  const told = () =>
    world.events.events.filter(({ type, data }) => type === "cart.merged.v1" && data.userId === person);
  await until("the event", () => told().length > 0);
  expect(told()).toMatchObject([{ key: String(person), data: { userId: person, items: 2 } }]);
});

describe("profiles", () => {
  afterEach(() => redis.del("user:101"));

  test("an administrator writes them, the person reads their own", async () => {
    const profile = { name: "Riya", age: 22, city: "Pune" };
    expect((await world.ask(101, "PUT", "/api/cart/profiles/101", profile)).status).toBe(403);
    expect((await world.ask("nobody", "PUT", "/api/cart/profiles/101", profile)).status).toBe(401);
    expect((await world.ask("admin", "PUT", "/api/cart/profiles/101", profile)).body).toEqual(profile);
    expect(JSON.parse((await redis.get("user:101")) ?? "")).toEqual(profile);
    expect((await world.ask(101, "GET", "/api/cart/profiles/101")).body).toEqual(profile);
    expect((await world.ask(102, "GET", "/api/cart/profiles/101")).status).toBe(403);
    expect((await world.ask(102, "GET", "/api/cart/profiles/104")).status).toBe(403);
    expect((await world.ask("nobody", "GET", "/api/cart/profiles/101")).status).toBe(401);
    expect((await world.ask("admin", "GET", "/api/cart/profiles/104")).status).toBe(404);
  });

  test("they last as long as they are said to", async () => {
    const path = "/api/cart/profiles/101?expiresInSeconds=";
    expect((await world.ask("admin", "PUT", `${path}60`, { name: "Riya" })).status).toBe(200);
    expect(await redis.ttl("user:101")).toBeGreaterThan(50);
    expect((await world.ask("admin", "PUT", `${path}99999999999`, { name: "Riya" })).status).toBe(400);
  });
});

test("the service's user may do nothing else", async () => {
  const { REDIS_PASSWORD: password } = server.environmentOf("cart");
  const user = server.connect().duplicate({ username: "cart", password });
  try {
    await expect(user.get("other")).rejects.toThrow("NOPERM");
    await expect(user.keys("*")).rejects.toThrow("NOPERM");
    await expect(user.flushall()).rejects.toThrow("NOPERM");
    await expect(user.config("GET", "*")).rejects.toThrow("NOPERM");
    await expect(user.eval("return redis.call('GET', KEYS[1])", 1, "other")).rejects.toThrow("NOPERM");
    await expect(user.eval("return redis.call('KEYS', '*')", 0)).rejects.toThrow();
    await expect(user.publish("channel", "x")).rejects.toThrow("NOPERM");
  } finally {
    user.disconnect();
  }
});

test("an erased person's cart and profile are gone, and that is answered", async () => {
  const person = newPerson();
  await put(person, "me", "tea-1", 3);
  await redis.set(`user:${person}`, "{}");
  const erasureId = randomUUID();
  await world.events.publish("user.erased.v1", { userId: person, erasureId });
  const answers = () =>
    world.events.events.filter(({ type, data }) => type === "user.data-erased.v1" && data.userId === person);
  await until("the answer", () => answers().length > 0);
  expect(answers()).toMatchObject([{ data: { erasureId, service: "cart", records: 2 } }]);
  expect(await redis.exists(`cart:${person}`, `user:${person}`)).toBe(0);
});

test("no input makes it fail, and it answers as its document says", async () => {
  const { violations, statuses } = await world.fuzz({ runs: 150, backendUp: true });
  expect(violations).toEqual([]);
  expect(statuses[200]).toBeGreaterThan(50);
});

test("while Redis is killed it says so", async () => {
  await server.kill();
  const { violations, statuses } = await world.fuzz({ runs: 6, backendUp: false });
  expect(violations).toEqual([]);
  expect(statuses[503]).toBeGreaterThan(8);
  await server.start();
  await until("it to be ready again", () => world.isReady());
});

test("while Redis is frozen it says so", async () => {
  await server.freeze();
  const { status, headers } = await put(101, "me", "tea-1", 1);
  expect(status).toBe(503);
  expect(headers.get("retry-after")).toBe("1");
  server.thaw();
  await until("it to be ready again", () => world.isReady());
});
