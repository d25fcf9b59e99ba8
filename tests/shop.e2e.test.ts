import { randomUUID } from "node:crypto";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import { type Caller, type Person, ShopClient } from "../cli/shop-client.ts";
import { type ApiDocument, operationsOf } from "./support/fuzz/operations.ts";
import { streamText } from "./support/stream-text.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";
import { until } from "./support/until.ts";

interface Order {
  orderId: string;
  state: string;
  totalCents: number;
}

interface Mails {
  mails: Array<{ subject: string }>;
  doubles: number;
}

/** The services that answer people, and hold what is theirs. */
const holders = ["user", "product", "cart", "order", "payment", "notification", "analytics", "social"];

const password = "a password for the tests";

let lab: ThrowawayLab;
let status: StatusReport;
let variables: Record<string, string>;
let shop: ShopClient;
let admin: Person;
let ada: Person;
let adaId: number;
let ben: Person;
let benId: number;

beforeAll(async () => {
  lab = await createThrowawayLab("shop");
  status = await lab.json<StatusReport>(["up"]);
  variables = await lab.json(["env"]);
  shop = new ShopClient(status.urls.gateway);
  admin = await shop.login({
    email: variables.SHOP_ADMIN_EMAIL as string,
    password: variables.SHOP_ADMIN_PASSWORD as string,
  });
  await product("tea-1", { priceCents: 900, stock: 5 });
  await product("book-1", { priceCents: 2900 });
  await product("gone-1", { priceCents: 100, stock: 0 });
  ben = await shop.register({ name: "Ben", email: "ben@example.org", password });
  benId = await ben.id();
});

afterAll(async () => {
  await shop?.close();
  await lab?.remove();
});

function product(sku: string, fields: object): Promise<unknown> {
  return admin.ask("PUT", `/api/products/${sku}`, { body: { name: sku, category: "tests", ...fields } });
}

function order(caller: Caller, lines: Record<string, number>, key: string = randomUUID()): Promise<Order> {
  return caller.ask<Order>("POST", "/api/orders", {
    headers: { "idempotency-key": key },
    body: { lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })) },
  });
}

async function comesTo(caller: Caller, { orderId }: Order, state: string): Promise<void> {
  let seen: string | undefined;
  await until(
    `the order to be ${state}`,
    async () => {
      seen = (await caller.ask<Order>("GET", `/api/orders/${orderId}`)).state;
      return seen === state;
    },
    60_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; it is ${seen}`, { cause: error });
  });
}

async function mailsTo(email: string): Promise<Mails> {
  return (await fetch(`${status.urls.mail}/api/mails?to=${email}`)).json() as Promise<Mails>;
}

/** The kinds of the lines about an order in the provider's own ledger. */
async function ledgerOf({ orderId }: Order): Promise<string[]> {
  const response = await fetch(`${status.urls.paymentProvider}/v1/ledger?limit=500`, {
    headers: { authorization: `Bearer ${variables.PROVIDER_API_KEY}` },
  });
  const { entries } = (await response.json()) as { entries: Array<{ kind: string; reference: string }> };
  return entries.filter(({ reference }) => reference === orderId).map(({ kind }) => kind);
}

/** Units of a product that can be had: they are taken, and given back. */
async function canReserve(sku: string, quantity: number): Promise<boolean> {
  const reference = randomUUID();
  const path = `/api/products/${sku}/reservations`;
  const { status } = await admin.send("POST", path, { body: { quantity, reference } });
  if (status === 201) {
    await admin.ask("DELETE", `${path}/${reference}`);
  }
  return status === 201;
}

describe("a person's journey", () => {
  const cart = `anon-${randomUUID()}`;
  let placed: Order;

  test("looks around and fills a cart, unknown", async () => {
    const found = await shop.nobody.ask<Array<{ sku: string }>>(
      "GET",
      "/api/products?category=tests&limit=2",
    );
    expect(found.map(({ sku }) => sku)).toEqual(["book-1", "gone-1"]);
    await shop.nobody.ask("PUT", `/api/cart/${cart}/items/tea-1`, { body: { quantity: 2 } });
  });

  test("registers, logs in, and takes the cart along", async () => {
    ada = await shop.register({ name: "Ada", email: "ada@example.org", password });
    adaId = await ada.id();
    await ada.ask("PUT", "/api/cart/me/items/book-1", { body: { quantity: 1 } });
    expect(await ada.ask("POST", "/api/cart/merge", { body: { from: cart } })).toMatchObject({
      owner: String(adaId),
      items: [
        { sku: "book-1", quantity: 1 },
        { sku: "tea-1", quantity: 2 },
      ],
    });
    expect(await shop.nobody.ask("GET", `/api/cart/${cart}`)).toMatchObject({ items: [] });
  });

  test("orders what is in it, once, and it is paid, reserved and confirmed", async () => {
    const key = randomUUID();
    placed = await order(ada, { "tea-1": 2, "book-1": 1 }, key);
    expect(placed).toMatchObject({ state: "placed", totalCents: 4700 });
    expect((await order(ada, { "tea-1": 2, "book-1": 1 }, key)).orderId).toBe(placed.orderId);
    await comesTo(ada, placed, "confirmed");
    expect(await ada.ask("GET", `/api/payments/${placed.orderId}`)).toMatchObject({
      state: "captured",
      amountCents: 4700,
    });
    expect(await ledgerOf(placed)).toEqual(["charge"]);
    expect([await canReserve("tea-1", 3), await canReserve("tea-1", 4)]).toEqual([true, false]);
  });

  test("gets one mail about it", async () => {
    await until("the mail", async () => (await mailsTo("ada@example.org")).mails.length > 0);
    expect(await mailsTo("ada@example.org")).toMatchObject({ mails: [expect.anything()], doubles: 0 });
    expect(await ada.ask("GET", "/api/notifications")).toMatchObject([
      { orderId: placed.orderId, kind: "paid" },
    ]);
  });

  test("is in the statistics", async () => {
    const types = async () =>
      (await ada.ask<Array<{ type: string }>>("GET", `/api/analytics/users/${adaId}/events`)).map(
        ({ type }) => type,
      );
    const expected = ["user.registered.v1", "cart.merged.v1", "order.placed.v1", "payment.captured.v1"];
    await until("the events", async () => (await types()).includes("notification.sent.v1"));
    expect(await types()).toEqual(expect.arrayContaining(expected));
    expect(await admin.ask("GET", "/api/analytics/sales?sku=tea-1")).toMatchObject([
      { sku: "tea-1", orders: 1, quantity: 2, revenueCents: 1800 },
    ]);
  });

  test("has friends, who are recommended what was bought", async () => {
    await ben.ask("PUT", `/api/social/people/${benId}/friends/${adaId}`);
    await ada.ask("PUT", `/api/social/people/${adaId}/friends/${benId}`);
    const recommended = async () =>
      (await ben.ask<Array<{ sku: string }>>("GET", `/api/social/people/${benId}/recommendations`)).map(
        ({ sku }) => sku,
      );
    await until("the purchase to be known", async () => (await recommended()).length > 0);
    expect(await recommended()).toEqual(["book-1", "tea-1"]);
  });
});

describe("an order that can't be kept", () => {
  test("is refunded when it is sold out, and the provider has given the money back", async () => {
    const placed = await order(ben, { "gone-1": 1, "tea-1": 1 });
    await comesTo(ben, placed, "refunded");
    expect(await ledgerOf(placed)).toEqual(["charge", "refund"]);
    await until("the mail", async () =>
      (await ben.ask<Array<{ kind: string }>>("GET", "/api/notifications")).some(
        ({ kind }) => kind === "refunded",
      ),
    );
    expect(await canReserve("tea-1", 3)).toBe(true);
  });

  test("is cancelled, paid back, and its units are there for others", async () => {
    const placed = await order(ben, { "tea-1": 3 });
    await comesTo(ben, placed, "confirmed");
    expect(await canReserve("tea-1", 1)).toBe(false);
    await ben.ask("POST", `/api/orders/${placed.orderId}/cancel`);
    await comesTo(ben, placed, "cancelled");
    await until("the units", () => canReserve("tea-1", 3));
    expect(await ledgerOf(placed)).toEqual(["charge", "refund"]);
  });
});

describe("nobody reads or changes what is another's", () => {
  let eve: Person;
  let orderId: string;
  let documents: ApiDocument[];
  /** What somebody would have to send, to each route that is not for everybody, to get at what is Ada's. */
  let attacks: Record<string, { path: string; body?: unknown }>;

  beforeAll(async () => {
    eve = await shop.register({ name: "Eve", email: "eve@example.org", password });
    const orders = await ada.ask<Order[]>("GET", "/api/orders");
    orderId = orders[0]?.orderId as string;
    await ada.ask("PUT", `/api/users/${adaId}/addresses/home`, {
      body: { street: "Lake View 1", city: "Pune" },
    });
    await ada.ask("POST", "/api/products/book-1/reservations", { body: { quantity: 1, reference: "mine" } });
    await admin.ask("PUT", `/api/cart/profiles/${adaId}`, { body: { name: "Ada" } });
    documents = await Promise.all(
      holders.map(async (name) => {
        const address = status.jobs.find((job) => job.name === name)?.addresses[0];
        return (await fetch(`http://${address}/openapi.json`)).json() as Promise<ApiDocument>;
      }),
    );
    const days = "from=2025-10-01&to=2025-10-02";
    const person = { name: "Eve", email: "eve-2@example.org" };
    const address = { street: "Eve's", city: "Pune" };
    attacks = {
      "GET /api/users": { path: "/api/users" },
      "GET /api/users/reports/cities": { path: "/api/users/reports/cities" },
      "POST /api/users/keys/rotate": { path: "/api/users/keys/rotate" },
      "PUT /api/users/students/{id}": {
        path: "/api/users/students/1",
        body: { name: "Eve", class: 1, marks: 1 },
      },
      "PUT /api/users/students/columns/{column}": {
        path: "/api/users/students/columns/x",
        body: { type: "text" },
      },
      "DELETE /api/users/students/columns/{column}": { path: "/api/users/students/columns/x" },
      "GET /api/users/{id}": { path: `/api/users/${adaId}` },
      "PUT /api/users/{id}": { path: `/api/users/${adaId}`, body: person },
      "DELETE /api/users/{id}": { path: `/api/users/${adaId}` },
      "PUT /api/users/{id}/addresses/{label}": { path: `/api/users/${adaId}/addresses/home`, body: address },
      "PUT /api/products/{sku}": {
        path: "/api/products/tea-1",
        body: { name: "Eve's", category: "tests", priceCents: 0 },
      },
      "DELETE /api/products/{sku}": { path: "/api/products/tea-1" },
      "PUT /api/products/students/{id}": { path: "/api/products/students/1", body: { name: "Eve" } },
      "DELETE /api/products/{sku}/reservations/{reference}": {
        path: "/api/products/book-1/reservations/mine",
      },
      "GET /api/cart/{cart}": { path: `/api/cart/${adaId}` },
      "PUT /api/cart/{cart}/items/{sku}": { path: `/api/cart/${adaId}/items/tea-1`, body: { quantity: 9 } },
      "DELETE /api/cart/{cart}": { path: `/api/cart/${adaId}` },
      "POST /api/cart/merge": { path: "/api/cart/merge", body: { from: String(adaId) } },
      "GET /api/cart/profiles/{id}": { path: `/api/cart/profiles/${adaId}` },
      "PUT /api/cart/profiles/{id}": { path: `/api/cart/profiles/${adaId}`, body: { name: "Eve" } },
      "GET /api/orders/{id}": { path: `/api/orders/${orderId}` },
      "POST /api/orders/{id}/cancel": { path: `/api/orders/${orderId}/cancel` },
      "GET /api/orders/reports/customers": { path: "/api/orders/reports/customers" },
      "GET /api/orders/reports/products": { path: "/api/orders/reports/products" },
      "GET /api/payments/{orderId}": { path: `/api/payments/${orderId}` },
      "GET /api/notifications": { path: `/api/notifications?userId=${adaId}` },
      "PUT /api/analytics/users/{userId}/events/{id}": {
        path: `/api/analytics/users/${adaId}/events/e1`,
        body: { at: "2025-10-01T00:00:00Z", type: "viewed" },
      },
      "GET /api/analytics/users/{userId}/events": { path: `/api/analytics/users/${adaId}/events?${days}` },
      "PUT /api/analytics/rows/{id}/{column}": {
        path: "/api/analytics/rows/1/city",
        body: { value: "Eve's" },
      },
      "DELETE /api/analytics/rows/{id}/{column}": { path: "/api/analytics/rows/1/city" },
      "GET /api/analytics/sales": { path: `/api/analytics/sales?${days}` },
      "PUT /api/social/people/{userId}": { path: `/api/social/people/${adaId}`, body: { name: "Eve" } },
      "PUT /api/social/people/{userId}/friends/{friendId}": {
        path: `/api/social/people/${adaId}/friends/${benId}`,
      },
      "DELETE /api/social/people/{userId}/friends/{friendId}": {
        path: `/api/social/people/${benId}/friends/${adaId}`,
      },
      "GET /api/social/people/{userId}/friends": { path: `/api/social/people/${adaId}/friends` },
      "GET /api/social/people/{userId}/friends-of-friends": {
        path: `/api/social/people/${adaId}/friends-of-friends`,
      },
      "GET /api/social/path": { path: `/api/social/path?from=${adaId}&to=${benId}` },
      "GET /api/social/people/{userId}/recommendations": {
        path: `/api/social/people/${adaId}/recommendations`,
      },
    };
  });

  /** Everybody may ask these, and gets what is public or their own. */
  const harmless = [
    "POST /api/users",
    "POST /api/users/login",
    // Of one's own log-in.
    "POST /api/users/logout",
    "GET /api/users/me",
    "GET /api/users/jwks.json",
    // By an id that is as good as a password.
    "GET /api/users/erasures/{erasureId}",
    "GET /api/users/students",
    "GET /api/products",
    "GET /api/products/{sku}",
    "GET /api/products/students",
    // Under a reference of one's own.
    "POST /api/products/{sku}/reservations",
    "POST /api/orders",
    "GET /api/orders",
    "GET /api/analytics/rows/{id}",
  ];

  test("every route is one that was thought of", () => {
    const routes = documents
      .flatMap(operationsOf)
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route) => !route.includes(" /internal/"));
    expect(routes.toSorted()).toEqual([...harmless, ...Object.keys(attacks)].toSorted());
  });

  test("a stranger is refused, and so is nobody", async () => {
    const before = await everythingOfAda();
    for (const [route, { path, body }] of Object.entries(attacks)) {
      const method = route.split(" ")[0] as "GET" | "PUT" | "POST" | "DELETE";
      const asEve = await eve.send(method, path, { body });
      const asNobody = await shop.nobody.send(method, path, { body });
      // 400 for a cart that can't even be named, 404 in the same words as for what doesn't exist.
      expect([400, 403, 404], `${route} as a stranger`).toContain(asEve.status);
      expect([400, 401], `${route} as nobody`).toContain(asNobody.status);
    }
    expect(await everythingOfAda()).toEqual(before);
  });

  test("a one-sided friend learns nothing", async () => {
    const eveId = await eve.id();
    const path = `/api/social/people/${eveId}`;
    await until(
      "Eve to be known",
      async () => (await eve.send("PUT", `${path}/friends/${adaId}`)).status === 204,
    );
    expect(await eve.ask("GET", `${path}/friends`)).toEqual([{ id: adaId, name: "" }]);
    expect(await eve.ask("GET", `${path}/friends-of-friends`)).toEqual([]);
    expect(await eve.ask("GET", `${path}/recommendations`)).toEqual([]);
    for (const other of [adaId, benId]) {
      expect((await eve.send("GET", `/api/social/path?from=${eveId}&to=${other}`)).status).toBe(404);
    }
    await eve.ask("DELETE", `${path}/friends/${adaId}`);
  });

  test("what is only for services is not to be had through the gateway", async () => {
    for (const path of [
      "/internal/payments",
      "/internal/notifications",
      "/api/payments/../internal/payments",
    ]) {
      expect((await eve.send("POST", path, { body: {} })).status, path).toBe(404);
    }
  });

  async function everythingOfAda(): Promise<unknown[]> {
    const paths = [
      `/api/users/${adaId}`,
      `/api/cart/profiles/${adaId}`,
      `/api/orders/${orderId}`,
      `/api/payments/${orderId}`,
      "/api/notifications",
      `/api/social/people/${adaId}/friends`,
    ];
    const { items } = await ada.ask<{ items: unknown }>("GET", "/api/cart/me");
    const tea = await ada.ask("GET", "/api/products/tea-1");
    return [items, tea, ...(await Promise.all(paths.map((path) => ada.ask("GET", path))))];
  }
});

test("keys change, and nobody is logged out", async () => {
  const keysOf = async () =>
    (await shop.nobody.ask<{ keys: Array<{ kid: string }> }>("GET", "/api/users/jwks.json")).keys.length;
  const before = [await ada.token(), await keysOf()] as const;
  await admin.ask("POST", "/api/users/keys/rotate");
  await until("another key", async () => (await keysOf()) > before[1]);
  const late = await shop.login({ email: "ben@example.org", password });
  for (const path of ["/api/users/me", "/api/cart/me", "/api/orders", "/api/notifications"]) {
    expect((await ada.send("GET", path)).status, path).toBe(200);
    expect((await late.send("GET", path)).status, path).toBe(200);
  }
  expect(await ada.token()).toBe(before[0]);
});

test("who has logged out is refused, and can log in again", async () => {
  const login = { email: "sneha-2@example.org", password };
  const sneha = await shop.register({ name: "Sneha", ...login });
  const elsewhere = await shop.login(login);
  await sneha.ask("POST", "/api/users/logout");
  await until(
    "the gateway to refuse the token",
    async () => (await sneha.send("GET", "/api/users/me")).status === 401,
  );
  for (const person of [elsewhere, await shop.login(login)]) {
    expect((await person.send("GET", "/api/users/me")).status).toBe(200);
  }
});

test("an erased person is gone everywhere, and there is a report of it", async () => {
  const { erasureId } = await ada.ask<{ erasureId: string }>("DELETE", `/api/users/${adaId}`);
  interface Report {
    complete: boolean;
    services: Array<{ service: string; records: number }>;
  }
  const report = () => shop.nobody.ask<Report>("GET", `/api/users/erasures/${erasureId}`);
  await until(
    "the report to be complete",
    async () => (await report()).services.length === holders.length,
    60_000,
  );
  const { complete, services } = await report();
  expect(complete).toBe(true);
  expect(services.map(({ service }) => service).toSorted()).toEqual(holders.toSorted());
  // The product service keeps nothing that says whose it is.
  for (const { service, records } of services.filter(({ service }) => service !== "product")) {
    expect(records, service).toBeGreaterThan(0);
  }
  expect(
    (await shop.nobody.send("POST", "/api/users/login", { body: { email: "ada@example.org", password } }))
      .status,
  ).toBe(401);
  expect((await ada.send("GET", "/api/cart/me")).status).toBe(401);
  expect((await admin.send("GET", `/api/users/${adaId}`)).status).toBe(404);
  expect((await admin.send("GET", `/api/social/people/${adaId}/friends`)).status).toBe(404);
  expect(await admin.ask("GET", `/api/analytics/users/${adaId}/events`)).toEqual([]);
  expect(await admin.ask("GET", `/api/notifications?userId=${adaId}`)).toEqual([]);
  expect(await ben.ask("GET", `/api/social/people/${benId}/friends`)).toEqual([]);
  expect((await ben.send("GET", `/api/users/${benId}`)).status).toBe(200);
});

test("no password and no token is in a log or an event", async () => {
  const logs = await execa("sh", ["-c", 'cat "$0"/nomad/alloc/*/alloc/logs/*', `${lab.home}/${lab.stack}`]);
  expect(logs.stdout).toContain('"path":"/api/users/login"');
  const events = await streamText(variables);
  expect(events).toContain("user.registered.v1");
  expect(events).toContain("order.placed.v1");
  for (const secret of [password, await ben.token(), await admin.token()]) {
    expect(logs.stdout.includes(secret)).toBe(false);
    expect(events.includes(secret)).toBe(false);
  }
});
