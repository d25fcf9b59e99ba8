import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import {
  connectMessaging,
  type DataOf,
  type EventType,
  eventOf,
  type Handlers,
  type Messaging,
  type ShopEvent,
  schemas,
} from "@lab/messaging";
import { createLogger } from "@lab/service-kit";
import { execa } from "execa";
import { createPool, type Pool, type RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Identities, startIdentities } from "../../../tests/servers/identities.ts";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { type Registry, startRegistry } from "../../../tests/servers/registry.ts";
import { type ServiceProcess, startService } from "../../../tests/servers/service.ts";
import { fuzz } from "../../../tests/support/fuzz/check.ts";
import type { ApiDocument } from "../../../tests/support/fuzz/operations.ts";
import { until } from "../../../tests/support/until.ts";
import type { Order } from "./schema.ts";

/** What the neighbours answer, by path. */
type Answers = Record<string, { status: number; body: object } | "hang">;

const jacket = { name: "Rain jacket", category: "clothing", priceCents: 7900 };
const products: Answers = {
  "/api/products/jacket-1": { status: 200, body: { sku: "jacket-1", ...jacket } },
  "/api/products/shoe-1": { status: 200, body: { sku: "shoe-1", name: "Shoe", priceCents: 5000 } },
  "/api/products/gift-1": { status: 200, body: { sku: "gift-1", name: "Gift", priceCents: 0 } },
  "/api/products/yacht-1": { status: 200, body: { sku: "yacht-1", name: "Yacht", priceCents: 2 ** 40 } },
};
const payments: Answers = {};

let mysql: MysqlServer;
let nats: NatsServer;
let registry: Registry;
let identities: Identities;
let neighbours: Server[];
let order: ServiceProcess;
let database: Pool;
let messaging: Messaging;
let environment: Record<string, string>;
const told: ShopEvent[] = [];

beforeAll(async () => {
  mysql = await startMysql("order");
  nats = await startNats();
  registry = await startRegistry();
  identities = await startIdentities();
  neighbours = await Promise.all([listen(products), listen(payments)]);
  const [product, payment] = neighbours.map((server) => (server.address() as AddressInfo).port);
  await registry.register("product", product as number);
  await registry.register("payment", payment as number);
  const { MYSQL_HOST, MYSQL_PORT, MYSQL_CONNECTIONS, ...account } = mysql.environmentOf("order");
  environment = {
    ...account,
    MYSQL_HOST,
    MYSQL_PORT: String(MYSQL_PORT),
    MYSQL_CONNECTIONS: String(MYSQL_CONNECTIONS),
    ...nats.environmentOf("operator"),
    ...identities.environment,
    SERVICE_TOKEN_KEY: randomUUID(),
    CHAIN: "async",
    CONSUL_URL: registry.url,
    PRODUCT_SERVICE: "product",
    PAYMENT_SERVICE: "payment",
  };
  await execa(process.execPath, [join(import.meta.dirname, "main.ts"), "migrate"], {
    env: { SERVICE_NAME: "order", ENVIRONMENT: "test", ...environment },
  });
  database = createPool({
    host: MYSQL_HOST,
    port: MYSQL_PORT,
    user: account.MYSQL_USER,
    password: account.MYSQL_PASSWORD,
    database: "order",
  });
  const log = createLogger(
    { SERVICE_NAME: "test", ENVIRONMENT: "test", INSTANCE_ID: "1", LOG_LEVEL: "error" },
    { write: () => {} },
  );
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  const note = async (event: ShopEvent) => void told.push(event);
  const handlers = Object.fromEntries(Object.keys(schemas).map((type) => [type, note])) as Handlers;
  messaging.consume({ name: "watcher", handlers });
  order = await startService("order", environment);
});

afterAll(async () => {
  await order?.kill();
  await messaging?.close();
  await database?.end();
  for (const server of neighbours ?? []) {
    server.close();
    server.closeAllConnections();
  }
  await Promise.all([mysql?.stop(), nats?.stop(), registry?.stop(), identities?.stop()]);
});

async function listen(answers: Answers): Promise<Server> {
  const server = createServer(async (request, response) => {
    await text(request);
    const answer = answers[request.url as string] ?? { status: 404, body: {} };
    if (answer !== "hang") {
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer.body));
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

let lastUserId = 100;

function newCustomer(): number {
  return ++lastUserId;
}

interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** A request by a customer, or with 0 by nobody, or with -1 by the administrator. */
async function send<T = Order>(
  userId: number,
  method: string,
  path: string,
  { body, key, at = order }: { body?: unknown; key?: string; at?: ServiceProcess } = {},
): Promise<Answer<T>> {
  const token = userId === -1 ? identities.tokenOf(1, "admin") : identities.tokenOf(userId);
  const response = await fetch(`${at.url}${path}`, {
    method,
    headers: {
      ...(userId !== 0 && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(key !== undefined && { "idempotency-key": key }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

const oneJacket = { lines: [{ sku: "jacket-1", quantity: 1 }] };

function place(
  userId: number,
  {
    body = oneJacket,
    key = randomUUID(),
    at = order,
  }: { body?: unknown; key?: string; at?: ServiceProcess } = {},
): Promise<Answer<Order>> {
  return send(userId, "POST", "/api/orders", { body, key, at });
}

async function placed(userId: number): Promise<Order> {
  const { status, body } = await place(userId);
  expect(status).toBe(201);
  return body;
}

/** Says what another service would say of an order. */
async function say<T extends EventType>(type: T, data: DataOf<T> & { userId: number }): Promise<void> {
  await messaging.publish(eventOf(type, { key: String(data.userId), data, source: "test" }) as ShopEvent);
}

async function untilState(orderId: string, state: string): Promise<Order> {
  await until(`the order to be ${state}`, async () => (await stateOf(orderId)) === state);
  return (await send(-1, "GET", `/api/orders/${orderId}`)).body;
}

async function stateOf(orderId: string): Promise<string> {
  const [[row]] = await database.query<RowDataPacket[]>("SELECT state FROM orders WHERE id = ?", [orderId]);
  return row?.state;
}

/** The events of a type about an order, in the order in which they came. */
function toldOf<T extends EventType>(type: T, orderId: string): DataOf<T>[] {
  return told
    .filter((event) => event.type === type && (event.data as { orderId?: string }).orderId === orderId)
    .map(({ data }) => data as DataOf<T>);
}

async function untilTold<T extends EventType>(type: T, orderId: string): Promise<DataOf<T>> {
  await until(`${type} to come`, () => toldOf(type, orderId).length > 0);
  return toldOf(type, orderId)[0] as DataOf<T>;
}

function captured(orderId: string, userId: number, chain: "async" | "sync" = "async") {
  return { orderId, userId, amountCents: 7900, chargeId: "charge-1", chain } as const;
}

async function ordersIn(where: string, values: unknown[]): Promise<number> {
  const [[row]] = await database.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n FROM orders WHERE ${where}`,
    values,
  );
  return Number(row?.n);
}

describe("an order", () => {
  test("is accepted at the products' prices, and the other services are told", async () => {
    const userId = newCustomer();
    const body = {
      lines: [
        { sku: "jacket-1", quantity: 2 },
        { sku: "shoe-1", quantity: 1 },
      ],
    };
    const answer = await place(userId, { body });
    const lines = [
      { sku: "jacket-1", name: "Rain jacket", quantity: 2, priceCents: 7900 },
      { sku: "shoe-1", name: "Shoe", quantity: 1, priceCents: 5000 },
    ];
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      userId,
      state: "placed",
      lines,
      totalCents: 20_800,
      currency: "EUR",
    });
    const { orderId, placedAt } = answer.body;
    expect(answer.headers.get("location")).toBe(`/api/orders/${orderId}`);
    expect((await send(userId, "GET", `/api/orders/${orderId}`)).body).toEqual(answer.body);
    expect(await untilTold("order.placed.v1", orderId)).toEqual({
      orderId,
      userId,
      lines,
      totalCents: 20_800,
      placedAt,
      chain: "async",
    });
  });

  test("of a product that there is not is refused, and says which", async () => {
    const body = { lines: [...oneJacket.lines, { sku: "nothing-1", quantity: 1 }] };
    const answer = await place(newCustomer(), { body });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ sku: "nothing-1" });
  });

  test.each([
    ["nothing", { lines: [] }],
    ["no whole number", { lines: [{ sku: "jacket-1", quantity: 1.5 }] }],
    ["too many of one", { lines: [{ sku: "jacket-1", quantity: 1001 }] }],
    ["one product twice", { lines: [...oneJacket.lines, ...oneJacket.lines] }],
    ["too many lines", { lines: Array.from({ length: 51 }, (_, n) => ({ sku: `s-${n}`, quantity: 1 })) }],
    ["a SKU that is SQL", { lines: [{ sku: "'; DROP TABLE orders; --", quantity: 1 }] }],
  ])("of %s is refused", async (_what, body) => {
    expect((await place(newCustomer(), { body })).status).toBe(400);
  });

  test.each(["gift-1", "yacht-1"])(
    "that costs nothing, or more than can be charged, is refused: %s",
    async (sku) => {
      expect((await place(newCustomer(), { body: { lines: [{ sku, quantity: 1 }] } })).status).toBe(422);
    },
  );

  test("that is too large gets 413", async () => {
    expect((await place(newCustomer(), { body: { ...oneJacket, note: "x".repeat(70_000) } })).status).toBe(
      413,
    );
  });

  test("can be placed while product is away, if its price was known", async () => {
    const known = { ...products };
    await place(newCustomer());
    for (const path of Object.keys(products)) {
      products[path] = { status: 503, body: {} };
    }
    products["/api/products/never-asked"] = { status: 503, body: {} };
    expect((await place(newCustomer())).status).toBe(201);
    const body = { lines: [{ sku: "never-asked", quantity: 1 }] };
    const unknown = await place(newCustomer(), { body });
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "1"]);
    Object.assign(products, known);
    delete products["/api/products/never-asked"];
  });
});

describe("an Idempotency-Key", () => {
  test.each([undefined, "two words", "x".repeat(101)])("is needed, and visible: not %s", async (key) => {
    const answer = await send(newCustomer(), "POST", "/api/orders", { body: oneJacket, key });
    expect(answer.status).toBe(400);
  });

  test("that comes again gets the same answer, whatever has become of the order", async () => {
    const userId = newCustomer();
    const key = `'OR'1'='1`;
    const first = await place(userId, { key });
    const { orderId } = first.body;
    await say("payment.captured.v1", captured(orderId, userId));
    await untilState(orderId, "paid");
    const again = await place(userId, { key });
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await ordersIn("user_id = ?", [userId])).toBe(1);
  });

  test("gets the same answer also when its product is gone", async () => {
    const userId = newCustomer();
    const body = { lines: [{ sku: "last-1", quantity: 1 }] };
    products["/api/products/last-1"] = { status: 200, body: { name: "Last", priceCents: 100 } };
    const first = await place(userId, { body, key: "last" });
    delete products["/api/products/last-1"];
    const restarted = await startService("order", environment);
    const again = await place(userId, { body, key: "last", at: restarted });
    await restarted.stop();
    expect([again.status, again.body]).toEqual([201, first.body]);
  });

  test("can't be used for another order", async () => {
    const userId = newCustomer();
    await place(userId, { key: "once" });
    const body = { lines: [{ sku: "jacket-1", quantity: 2 }] };
    expect((await place(userId, { key: "once", body })).status).toBe(422);
  });

  test("is each customer's own", async () => {
    const [one, other] = [await place(newCustomer(), { key: "k" }), await place(newCustomer(), { key: "k" })];
    expect(one.body.orderId).not.toBe(other.body.orderId);
  });

  test("gives one order for requests that come at once", async () => {
    const userId = newCustomer();
    const answers = await Promise.all(Array.from({ length: 20 }, () => place(userId, { key: "at-once" })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.orderId)).size).toBe(1);
    expect(await ordersIn("user_id = ?", [userId])).toBe(1);
    await untilTold("order.placed.v1", answers[0]?.body.orderId as string);
    expect(toldOf("order.placed.v1", answers[0]?.body.orderId as string)).toHaveLength(1);
  });
});

describe("orders that come at once", () => {
  test("are all accepted, whatever is wrong with one of them", async () => {
    const userId = newCustomer();
    await place(userId, { key: "again" });
    const keys = Array.from({ length: 40 }, (_, n) => (n % 4 === 0 ? "again" : `new-${n}`));
    const answers = await Promise.all(keys.map((key) => place(userId, { key })));
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 201));
    expect(await ordersIn("user_id = ?", [userId])).toBe(31);
    const orderIds = new Set(answers.map(({ body }) => body.orderId));
    expect(orderIds.size).toBe(31);
    for (const orderId of orderIds) {
      await untilTold("order.placed.v1", orderId);
      expect(toldOf("order.placed.v1", orderId)).toHaveLength(1);
    }
  });

  test("keep their own data, whatever is in it", async () => {
    const names = ["'); DROP TABLE orders; -- ", "\\'\"`?", "雨衣 🧥", "a\nb"];
    const answers = await Promise.all(
      names.map((name, n) => {
        products[`/api/products/odd-${n}`] = { status: 200, body: { name, priceCents: n + 1 } };
        return place(newCustomer(), { body: { lines: [{ sku: `odd-${n}`, quantity: 1 }] } });
      }),
    );
    for (const [n, { body }] of answers.entries()) {
      const kept = await send(-1, "GET", `/api/orders/${body.orderId}`);
      expect(kept.body).toMatchObject({ totalCents: n + 1, lines: [{ sku: `odd-${n}`, name: names[n] }] });
    }
  });
});

describe("the saga", () => {
  test("pays and confirms", async () => {
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    await say("payment.captured.v1", captured(orderId, userId));
    await untilState(orderId, "paid");
    await say("stock.reserved.v1", { orderId, userId });
    await untilState(orderId, "confirmed");
    expect(await untilTold("order.confirmed.v1", orderId)).toEqual({ orderId, userId });
  });

  test("ends with the reason when payment declines", async () => {
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    await say("payment.declined.v1", { orderId, userId, amountCents: 7900, reason: "No money." });
    expect(await untilState(orderId, "declined")).toMatchObject({ reason: "No money." });
  });

  test("gives the money back when the stock is sold out", async () => {
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    await say("payment.captured.v1", captured(orderId, userId));
    await say("stock.rejected.v1", { orderId, userId, sku: "jacket-1" });
    expect(await untilState(orderId, "refunding")).toMatchObject({ reason: "jacket-1 is sold out." });
    await say("payment.refunded.v1", {
      orderId,
      userId,
      amountCents: 7900,
      refundId: "r",
      reason: "sold out",
    });
    await untilState(orderId, "refunded");
  });

  test.each([
    ["placed", "payment.voided.v1"],
    ["paid", "payment.refunded.v1"],
    ["confirmed", "payment.refunded.v1"],
  ] as const)("cancels an order that is %s", async (state, end) => {
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    if (state !== "placed") {
      await say("payment.captured.v1", captured(orderId, userId));
    }
    if (state === "confirmed") {
      await say("stock.reserved.v1", { orderId, userId });
    }
    await untilState(orderId, state);
    const answer = await send(userId, "POST", `/api/orders/${orderId}/cancel`);
    expect([answer.status, answer.body.state]).toEqual([202, "cancelling"]);
    expect(await untilTold("order.cancelled.v1", orderId)).toMatchObject({ orderId, userId });
    const refund = { amountCents: 7900, refundId: "r", reason: "cancelled" };
    await say(end, { orderId, userId, ...refund });
    await untilState(orderId, "cancelled");
    const again = await send(userId, "POST", `/api/orders/${orderId}/cancel`);
    expect([again.status, again.body.state]).toEqual([409, "cancelled"]);
    expect(toldOf("order.cancelled.v1", orderId)).toHaveLength(1);
  });

  test("takes an event that repeats what is so for no news", async () => {
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    await say("payment.captured.v1", captured(orderId, userId));
    await say("stock.reserved.v1", { orderId, userId });
    await say("payment.captured.v1", captured(orderId, userId));
    await say("stock.reserved.v1", { orderId, userId });
    await say("user.changed.v1", { userId, name: "After", email: "after@example.org" });
    await until("the last event to come", () =>
      told.some(({ data }) => "name" in data && data.name === "After"),
    );
    await untilState(orderId, "confirmed");
    expect(toldOf("order.confirmed.v1", orderId)).toHaveLength(1);
  });

  test("gives up an event that can't be, and goes on with the next", async () => {
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    await say("stock.rejected.v1", { orderId, userId, sku: "jacket-1" });
    await say("payment.captured.v1", captured(orderId, userId));
    await untilState(orderId, "paid");
    expect(order.logged.some((line) => line.includes("can't be rejected"))).toBe(true);
  });
});

describe("another's order", () => {
  test("can't be seen or cancelled, and looks as if there were none", async () => {
    const { orderId } = await placed(newCustomer());
    const stranger = newCustomer();
    const nothing = await send<{ detail: string }>(stranger, "GET", `/api/orders/${randomUUID()}`);
    for (const [method, path] of [
      ["GET", `/api/orders/${orderId}`],
      ["POST", `/api/orders/${orderId}/cancel`],
    ] as const) {
      const answer = await send<{ detail: string }>(stranger, method, path);
      expect(answer.status).toBe(404);
      expect(answer.body.detail.replace(orderId, "")).toBe(nothing.body.detail.replace(/[0-9a-f-]{36}/, ""));
      expect((await send(0, method, path)).status).toBe(401);
    }
    expect((await send(stranger, "GET", "/api/orders")).body).toEqual([]);
    expect(await stateOf(orderId)).toBe("placed");
    expect((await send(-1, "GET", `/api/orders/${orderId}`)).status).toBe(200);
  });

  test("is not in the reports of customers", async () => {
    for (const report of ["customers", "products"]) {
      expect((await send(newCustomer(), "GET", `/api/orders/reports/${report}`)).status).toBe(403);
    }
  });
});

describe("lists", () => {
  test("show one's orders page by page, the newest first", async () => {
    const userId = newCustomer();
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      ids.unshift((await placed(userId)).orderId);
    }
    const first = await send<Order[]>(userId, "GET", "/api/orders?limit=3");
    const second = await send<Order[]>(userId, "GET", `/api/orders?limit=3&after=${ids[2]}`);
    expect([...first.body, ...second.body].map(({ orderId }) => orderId)).toEqual(ids);
    expect(first.body[0]?.lines).toHaveLength(1);
    expect((await send(userId, "GET", "/api/orders?limit=501")).status).toBe(400);
    expect((await send(userId, "GET", "/api/orders?after=1%20OR%201=1")).status).toBe(400);
  });

  test("report what was paid for, by customer and by product", async () => {
    products["/api/products/rare-1"] = { status: 200, body: { name: "Rare", priceCents: 1_000_000 } };
    const userId = newCustomer();
    const body = { lines: [{ sku: "rare-1", quantity: 3 }] };
    const paid = await place(userId, { body });
    await place(userId, { body });
    await say("payment.captured.v1", captured(paid.body.orderId, userId));
    await untilState(paid.body.orderId, "paid");
    const sold = { orders: 1, units: 3, totalCents: 3_000_000 };
    const customers = await send<object[]>(-1, "GET", "/api/orders/reports/customers?limit=1");
    expect(customers.body).toEqual([{ userId, ...sold }]);
    const bySku = await send<object[]>(-1, "GET", "/api/orders/reports/products?limit=1");
    expect(bySku.body).toEqual([{ sku: "rare-1", name: "Rare", ...sold }]);
  });
});

test("a person who is erased no longer stands in the books", async () => {
  const userId = newCustomer();
  const orders = [await placed(userId), await placed(userId)];
  await say("user.erased.v1", { userId, erasureId: "erasure-1" });
  await until("the erasure to be reported", () => told.some(({ type }) => type === "user.data-erased.v1"));
  expect(told.find(({ type }) => type === "user.data-erased.v1")?.data).toEqual({
    userId,
    erasureId: "erasure-1",
    service: "order",
    records: 2,
  });
  expect((await send(userId, "GET", "/api/orders")).body).toEqual([]);
  const kept = await send(-1, "GET", `/api/orders/${orders[0]?.orderId}`);
  expect(kept.body).toMatchObject({ userId: null, totalCents: 7900 });
  // What was under way goes on.
  await say("payment.captured.v1", captured(orders[0]?.orderId as string, userId));
  await untilState(orders[0]?.orderId as string, "paid");
});

test("who is erased can order nothing more, however good the token, and keeps nobody else from it", async () => {
  const userId = newCustomer();
  const key = randomUUID();
  await place(userId, { key });
  await say("user.erased.v1", { userId, erasureId: "erasure-2" });
  await until("the erasure to be reported", () =>
    told.some(({ type, key }) => type === "user.data-erased.v1" && key === String(userId)),
  );
  expect((await place(userId, { key })).status).toBe(403);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => place(index % 4 === 3 ? userId : newCustomer())),
  );
  expect(answers.map(({ status }) => status)).toEqual(
    answers.map((_, index) => (index % 4 === 3 ? 403 : 201)),
  );
  const [[row]] = await database.query<RowDataPacket[]>(
    "SELECT COUNT(*) AS orders FROM orders WHERE user_id = ?",
    [userId],
  );
  expect(row?.orders).toBe(0);
});

describe("while NATS is down", () => {
  test("orders are accepted, and told of later, by another process if need be", async () => {
    await nats.kill();
    const userId = newCustomer();
    const { orderId } = await placed(userId);
    expect((await fetch(`${order.url}/readyz`)).status).toBe(200);
    await order.kill();
    await nats.start();
    order = await startService("order", environment);
    expect(await untilTold("order.placed.v1", orderId)).toMatchObject({ userId });
    expect(toldOf("order.placed.v1", orderId)).toHaveLength(1);
  });
});

describe("the synchronous chain", () => {
  let sync: ServiceProcess;
  const path = "/internal/payments";

  beforeAll(async () => {
    sync = await startService("order", { ...environment, SERVICE_NAME: "order-sync", CHAIN: "sync" });
  });

  afterAll(() => sync?.kill());

  test("answers once the order is paid", async () => {
    payments[path] = { status: 200, body: { orderId: "", state: "captured", reason: null } };
    const answer = await place(newCustomer(), { at: sync });
    expect([answer.status, answer.body.state]).toEqual([201, "paid"]);
    expect(await untilTold("order.placed.v1", answer.body.orderId)).toMatchObject({ chain: "sync" });
  });

  test("answers with the reason when payment declines", async () => {
    payments[path] = { status: 200, body: { orderId: "", state: "declined", reason: "No money." } };
    const answer = await place(newCustomer(), { at: sync });
    expect(answer.body).toMatchObject({ state: "declined", reason: "No money." });
  });

  test("fails when payment is away, also for the same key again", async () => {
    payments[path] = { status: 503, body: {} };
    const userId = newCustomer();
    for (const _ of [1, 2]) {
      const answer = await place(userId, { at: sync, key: "lost" });
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    }
    const [lost] = (await send<Order[]>(userId, "GET", "/api/orders")).body;
    expect(lost).toMatchObject({ state: "declined", reason: "It could not be paid." });
    // Charged all the same, after the customer was told otherwise: it has to be given back.
    await say("payment.captured.v1", captured(lost?.orderId as string, userId, "sync"));
    await untilTold("order.cancelled.v1", lost?.orderId as string);
    expect(await stateOf(lost?.orderId as string)).toBe("declined");
  });

  test("gives back what payment has told of before it failed", async () => {
    const userId = newCustomer();
    payments[path] = "hang";
    const posted = place(userId, { at: sync });
    let orderId = "";
    await until("the order to be there", async () => {
      orderId = (await send<Order[]>(userId, "GET", "/api/orders")).body[0]?.orderId ?? "";
      return orderId !== "";
    });
    await say("payment.captured.v1", captured(orderId, userId, "sync"));
    await untilState(orderId, "paid");
    neighbours[1]?.closeAllConnections();
    expect((await posted).status).toBe(503);
    await untilTold("order.cancelled.v1", orderId);
    expect(await stateOf(orderId)).toBe("cancelling");
  });
});

describe("an order whose request has died while payment was asked", () => {
  test.each([
    ["voided", "declined", "It could not be paid."],
    ["refunded", "refunded", "Nobody waited."],
  ] as const)("ends when payment has %s it", async (outcome, state, reason) => {
    const sync = await startService("order", { ...environment, SERVICE_NAME: "order-sync", CHAIN: "sync" });
    const userId = newCustomer();
    payments["/internal/payments"] = "hang";
    const posted = place(userId, { at: sync }).catch(() => undefined);
    let orderId = "";
    await until("the order to be there", async () => {
      orderId = (await send<Order[]>(userId, "GET", "/api/orders")).body[0]?.orderId ?? "";
      return orderId !== "";
    });
    await sync.kill();
    await posted;
    await (outcome === "voided"
      ? say("payment.voided.v1", { orderId, userId })
      : say("payment.refunded.v1", { orderId, userId, amountCents: 7900, refundId: "re", reason }));
    await untilState(orderId, state);
    expect((await send(userId, "GET", `/api/orders/${orderId}`)).body.reason).toBe(reason);
  });
});

describe("whatever is sent", () => {
  const seed = 20_240_611;

  async function run(backendUp: boolean) {
    const document = (await (await fetch(`${order.url}/openapi.json`)).json()) as ApiDocument;
    const tokens = ["", identities.tokenOf(newCustomer()), identities.tokenOf(1, "admin"), "no token"];
    return fuzz({ origin: order.url, document, runs: 60, seed, tokens, backendUp });
  }

  test("is answered as the document says, and never with 5xx", async () => {
    const { violations, statuses } = await run(true);
    expect(violations).toEqual([]);
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "403", "404"]));
  });

  test("gets 503 with Retry-After while MySQL is away; the process lives, and comes back", async () => {
    await mysql.kill();
    const { violations, statuses } = await run(false);
    expect(violations).toEqual([]);
    expect(statuses["503"]).toBeGreaterThan(0);
    const answer = await place(newCustomer());
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await fetch(`${order.url}/livez`)).status).toBe(200);
    expect((await fetch(`${order.url}/readyz`)).status).toBe(503);
    await mysql.start();
    await until("orders to be accepted", async () => (await place(newCustomer())).status === 201);
  });
});

test("while MySQL hangs an order gets 503, and the next is accepted when it goes on", async () => {
  await mysql.freeze();
  try {
    const answer = await place(newCustomer());
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  } finally {
    mysql.thaw();
  }
  await until("orders to be accepted", async () => (await place(newCustomer())).status === 201);
});

test("no token is ever logged", () => {
  expect(order.logged.length).toBeGreaterThan(0);
  expect(order.logged.join("\n")).not.toMatch(/eyJ[\w-]+\.[\w-]+\./);
});
