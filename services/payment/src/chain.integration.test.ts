import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectMysql, migrateMysql } from "@lab/mysql";
import { createServiceTokens } from "@lab/service-kit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type ConsulServer, startConsul } from "../../../tests/servers/consul.ts";
import { type ServiceProcess, startService } from "../../../tests/servers/service.ts";
import { silentLog } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { migrations as notificationMigrations } from "../../notification/src/migrations.ts";
import { limitCents, orderOf, startWorld, stringsOf, type World } from "./testing/world.ts";

let world: World;
let consul: ConsulServer;
let folder: string;
let sink: ServiceProcess;
let notification: ServiceProcess;
let payment: ServiceProcess;
let user = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab chain "));
  [world, consul, sink] = await Promise.all([
    startWorld("notification"),
    startConsul(),
    startService("mail", { DATA_DIR: folder, SMTP_PORT: "0" }),
  ]);
  const pool = connectMysql(world.mysql.environmentOf("notification"));
  await migrateMysql(pool, silentLog, notificationMigrations);
  await pool.end();
  notification = await startNotification();
  await letConsulBeRead();
  await register();
});

afterAll(async () => {
  await Promise.all([notification.kill(), sink.kill()]);
  await Promise.all([world.stop(), consul.stop()]);
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  user += 1;
  await world.log.publish("user.registered.v1", { userId: user, name: "Riya", email: address() });
  payment = await startPayment();
});

afterEach(async () => {
  await payment.kill();
  await world.behave({});
});

function startPayment(environment: Record<string, string> = {}): Promise<ServiceProcess> {
  return world.startPayment({
    SERVICE_NAME: "payment-sync",
    CONSUL_URL: consul.address,
    RECONCILE_AFTER_MS: "1500",
    ...environment,
  });
}

function startNotification(port = 0): Promise<ServiceProcess> {
  return startService("notification", {
    PORT: String(port),
    ...stringsOf(world.mysql.environmentOf("notification")),
    ...world.nats.environmentOf("operator"),
    ...world.identities.environment,
    SERVICE_TOKEN_KEY: world.serviceTokenKey,
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: sink.logged.join("\n").match(/"smtpPort":(\d+)/)?.[1] as string,
    MAIL_FROM: "shop@example.org",
  });
}

async function put(path: string, body: object): Promise<void> {
  const response = await fetch(`${consul.address}${path}`, {
    method: "PUT",
    headers: { "x-consul-token": consul.managementToken },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
}

async function letConsulBeRead(): Promise<void> {
  const rules = 'service_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }';
  await put("/v1/acl/policy", { Name: "read", Rules: rules });
  await put("/v1/acl/token/00000000-0000-0000-0000-000000000002", { Policies: [{ Name: "read" }] });
}

async function register(): Promise<void> {
  const check = { CheckID: "notification", TTL: "10m", Status: "passing" };
  await put("/v1/agent/service/register", {
    Name: "notification",
    Address: "127.0.0.1",
    Port: notification.port,
    Check: check,
  });
}

function address(): string {
  return `user-${user}@example.org`;
}

async function pay(
  order: object,
  { caller = "order-sync", audience = "payment-sync" } = {},
): Promise<Response> {
  const tokens = createServiceTokens({ key: world.serviceTokenKey, name: caller });
  return await fetch(`${payment.url}/internal/payments`, {
    method: "POST",
    headers: { authorization: `Bearer ${await tokens.sign(audience)}`, "content-type": "application/json" },
    body: JSON.stringify(order),
  });
}

function syncOrder(totalCents = 4200) {
  return orderOf(user, { chain: "sync", totalCents });
}

async function ledger(orderId: string): Promise<string[]> {
  return (await world.ledgerOf(orderId)).map(({ kind }) => kind);
}

async function comesTo(orderId: string, state: string): Promise<void> {
  await until(`the payment to be ${state}`, async () => (await world.paymentOf(orderId))?.state === state);
}

async function mails(): Promise<number> {
  const answer = await fetch(`${sink.url}/api/mails?to=${address()}`);
  return ((await answer.json()) as { total: number }).total;
}

test("answers when the order is charged and its customer told", async () => {
  const order = syncOrder();
  const answer = await pay(order);
  expect(answer.status, await answer.clone().text()).toBe(200);
  expect(await answer.json()).toEqual({ orderId: order.orderId, state: "captured", reason: null });
  await until("the mail", async () => (await mails()) === 1);
  expect(await ledger(order.orderId)).toEqual(["charge"]);
  await until("the event", () => world.log.ofOrder(order.orderId, "payment").length === 1);
  const event = world.log.events.find(
    ({ type, data }) => type === "payment.captured.v1" && data.orderId === order.orderId,
  );
  expect(event?.data).toMatchObject({ chain: "sync", lines: order.lines });
});

test("the same asked twice is charged and told once", async () => {
  const order = syncOrder();
  const answers = await Promise.all([pay(order), pay(order)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  await until("the mail", async () => (await mails()) === 1);
  expect(await ledger(order.orderId)).toEqual(["charge"]);
});

test("declined is an answer", async () => {
  const order = syncOrder(limitCents + 1);
  const answer = await pay(order);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ state: "declined", reason: expect.stringContaining("limit") });
});

test("without the provider the order is refused, and not charged when the provider is back", async () => {
  const order = syncOrder();
  await world.provider.current.kill();
  try {
    const answer = await pay(order);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  } finally {
    await world.provider.restart();
  }
  expect((await world.paymentOf(order.orderId))?.state).toBe("declined");
  expect(await ledger(order.orderId)).toEqual([]);
});

test("what was charged after nobody waited any more is given back", async () => {
  await world.behave({ latencyMs: 1300 });
  const order = syncOrder();
  expect((await pay(order)).status).toBe(503);
  await world.behave({});
  await comesTo(order.orderId, "refunded");
  expect(await ledger(order.orderId)).toEqual(["charge", "refund"]);
});

test("killed while the provider charges: the money is given back after the next start", async () => {
  await payment.kill();
  payment = await startPayment({ PROVIDER_TIMEOUT_MS: "20000" });
  await world.behave({ latencyMs: 2000 });
  const order = syncOrder();
  const answer = pay(order).catch(() => undefined);
  await comesTo(order.orderId, "charging");
  await payment.kill();
  await answer;
  await world.behave({});
  payment = await startPayment();
  await comesTo(order.orderId, "refunded");
  expect(await ledger(order.orderId)).toEqual(["charge", "refund"]);
});

test("while notification is away the order is paid, and its customer told later", async () => {
  await notification.kill();
  const order = syncOrder();
  expect(await (await pay(order)).json()).toMatchObject({ state: "captured" });
  expect(await mails()).toBe(0);
  notification = await startNotification(notification.port);
  await until("the mail", async () => (await mails()) === 1);
  expect(await ledger(order.orderId)).toEqual(["charge"]);
});

test("a mail that notification refuses keeps no later one waiting", async () => {
  const { orderId } = syncOrder();
  await world.pool.query(
    "INSERT INTO payments (order_id, user_id, chain, amount_cents, state, charge_id, changed_at) VALUES ?",
    [
      ["no-uuid", orderId].map((id, day) => [
        id,
        user,
        "sync",
        5,
        "captured",
        "ch",
        new Date(2026, 0, 1 + day),
      ]),
    ],
  );
  await until("the mail", async () => (await mails()) === 1);
});

test("what was paid is given back when the order is cancelled, or its product sold out", async () => {
  const [cancelled, soldOut] = [syncOrder(), syncOrder()];
  await Promise.all([pay(cancelled), pay(soldOut)]);
  await world.log.publish("order.cancelled.v1", { ...cancelled, reason: "changed my mind" });
  await world.log.publish("stock.rejected.v1", { ...soldOut, sku: "mug-1" });
  await comesTo(cancelled.orderId, "refunded");
  await comesTo(soldOut.orderId, "refunded");
  expect(await ledger(cancelled.orderId)).toEqual(["charge", "refund"]);
});

test("only the order service may ask", async () => {
  expect((await pay(syncOrder(), { caller: "notification" })).status).toBe(403);
  expect((await pay(syncOrder(), { audience: "payment" })).status).toBe(401);
});
