import { createServiceTokens } from "@lab/service-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ServiceProcess } from "../../../tests/servers/service.ts";
import { fuzz } from "../../../tests/support/fuzz/check.ts";
import type { ApiDocument } from "../../../tests/support/fuzz/operations.ts";
import { until } from "../../../tests/support/until.ts";
import type { PaymentState } from "./payment.ts";
import { limitCents, orderOf, startWorld, type World } from "./testing/world.ts";

let world: World;
let payment: ServiceProcess;
let user = 0;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(() => world?.stop());

beforeEach(async () => {
  user += 1;
  payment = await world.startPayment();
});

afterEach(async () => {
  await payment.kill();
  await world.behave({});
});

async function comesTo(orderId: string, state: PaymentState): Promise<void> {
  let seen: string | undefined;
  await until(`the payment to be ${state}`, async () => {
    seen = (await world.paymentOf(orderId))?.state;
    return seen === state;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it is ${seen}`, { cause: error });
  });
}

/** The kinds of the provider's lines about an order. */
async function ledger(orderId: string): Promise<string[]> {
  return (await world.ledgerOf(orderId)).map(({ kind }) => kind);
}

/** The types of the service's own events about an order. */
function announced(orderId: string): string[] {
  return world.log.ofOrder(orderId, "payment");
}

async function announcedAre(orderId: string, ...types: string[]): Promise<void> {
  await until(`the events ${types}`, () => announced(orderId).length >= types.length);
  expect(announced(orderId)).toEqual(types);
}

async function placed(order = orderOf(user)) {
  await world.log.publish("order.placed.v1", order);
  return order;
}

async function captured(order = orderOf(user)) {
  await placed(order);
  await comesTo(order.orderId, "captured");
  return order;
}

test("charges for an order, once, and says so", async () => {
  const order = await captured();
  await announcedAre(order.orderId, "payment.captured.v1");
  expect(await world.ledgerOf(order.orderId)).toMatchObject([
    { kind: "charge", amountCents: 4200, idempotencyKey: order.orderId },
  ]);
  const [event] = world.log.events.filter(({ type }) => type === "payment.captured.v1");
  expect(event).toMatchObject({ key: String(user), data: { amountCents: 4200, chain: "async" } });
});

test("an event that comes twice is charged once", async () => {
  const order = orderOf(user);
  await placed(order);
  await placed(order);
  await captured();
  expect(await ledger(order.orderId)).toEqual(["charge"]);
  expect(announced(order.orderId)).toEqual(["payment.captured.v1"]);
});

test("a declined charge is the end of it", async () => {
  const order = await placed(orderOf(user, { totalCents: limitCents + 1 }));
  await comesTo(order.orderId, "declined");
  await announcedAre(order.orderId, "payment.declined.v1");
  expect((await world.paymentOf(order.orderId))?.declineReason).toContain("limit");
});

test("orders of the synchronous chain are left to it", async () => {
  const order = await placed(orderOf(user, { chain: "sync" }));
  await captured();
  expect(await world.paymentOf(order.orderId)).toBeUndefined();
});

describe("gives the money back", () => {
  test("when the product is sold out after the charge", async () => {
    const order = await captured();
    await world.log.publish("stock.rejected.v1", { ...order, sku: "mug-1" });
    await comesTo(order.orderId, "refunded");
    await announcedAre(order.orderId, "payment.captured.v1", "payment.refunded.v1");
    expect(await world.ledgerOf(order.orderId)).toMatchObject([
      { kind: "charge", amountCents: 4200 },
      { kind: "refund", amountCents: 4200 },
    ]);
  });

  test("when the customer cancels after the charge, once however often it is said", async () => {
    const order = await captured();
    await world.log.publish("order.cancelled.v1", { ...order, reason: "changed my mind" });
    await world.log.publish("stock.rejected.v1", { ...order, sku: "mug-1" });
    await world.log.publish("order.cancelled.v1", { ...order, reason: "changed my mind" });
    await captured();
    expect(await ledger(order.orderId)).toEqual(["charge", "refund"]);
    await announcedAre(order.orderId, "payment.captured.v1", "payment.refunded.v1");
    expect((await world.paymentOf(order.orderId))?.cancelReason).toBe("changed my mind");
  });

  test("when the refund's answer is lost, once", async () => {
    const order = await captured();
    await world.behave({ lostAnswerRate: 1 });
    await world.log.publish("order.cancelled.v1", { ...order, reason: "changed my mind" });
    await until("the refund", async () => (await ledger(order.orderId)).includes("refund"));
    expect((await world.paymentOf(order.orderId))?.state).toBe("refunding");
    await world.behave({});
    await comesTo(order.orderId, "refunded");
    expect(await ledger(order.orderId)).toEqual(["charge", "refund"]);
  });

  test("when the provider is back", async () => {
    const order = await captured();
    await world.provider.current.kill();
    await world.log.publish("order.cancelled.v1", { ...order, reason: "changed my mind" });
    await comesTo(order.orderId, "refunding");
    await world.provider.restart();
    await comesTo(order.orderId, "refunded");
    expect(await ledger(order.orderId)).toEqual(["charge", "refund"]);
  });
});

test("an order that was cancelled before it was charged is never charged", async () => {
  const order = orderOf(user);
  await world.log.publish("order.cancelled.v1", { ...order, reason: "changed my mind" });
  await comesTo(order.orderId, "voided");
  await placed(order);
  await captured();
  expect(await ledger(order.orderId)).toEqual([]);
  expect(announced(order.orderId)).toEqual(["payment.voided.v1"]);
});

describe("never charges twice", () => {
  test("when the provider's answer is lost: it looks for the charge", async () => {
    await world.behave({ lostAnswerRate: 1 });
    const order = await captured();
    expect(await ledger(order.orderId)).toEqual(["charge"]);
    expect(payment.logged.some((line) => line.includes('"state":"unknown"'))).toBe(true);
  });

  test("when a request that was given up reaches the provider's books after the next one", async () => {
    const { current: provider } = world.provider;
    const charges = () => provider.logged.filter((line) => /"POST".*"status":201/.test(line)).length;
    const before = charges();
    await world.behave({ latencyMs: 4000 });
    const order = await placed();
    await comesTo(order.orderId, "unknown");
    await world.behave({});
    await comesTo(order.orderId, "captured");
    expect(charges()).toBe(before + 1);
    await until("the first request to be done", () => charges() === before + 2);
    expect(await ledger(order.orderId)).toEqual(["charge"]);
  });

  test("when the provider fails now and then", async () => {
    await world.behave({ failureRate: 0.5, lostAnswerRate: 0.3, seed: 7 });
    const orders = Array.from({ length: 8 }, () => {
      user += 1;
      return orderOf(user);
    });
    for (const order of orders) {
      await placed(order);
    }
    for (const { orderId } of orders) {
      await comesTo(orderId, "captured");
      expect(await ledger(orderId)).toEqual(["charge"]);
    }
  });

  test("when it is killed between the provider's answer and the commit", async () => {
    await payment.kill();
    payment = await world.startPayment({ PROVIDER_TIMEOUT_MS: "20000" });
    await world.behave({ latencyMs: 3000 });
    const order = await placed();
    await until("payment to ask the provider", () => payment.isConnectedTo(world.provider.current.port));
    await world.mysql.freeze();
    try {
      // The ledger is asked without the delay, and shows the charge as soon as it is made.
      await until("the charge", async () => (await ledger(order.orderId)).length === 1);
      await payment.kill();
    } finally {
      world.mysql.thaw();
    }
    expect((await world.paymentOf(order.orderId))?.state).toBe("charging");
    await world.behave({});
    payment = await world.startPayment();
    await comesTo(order.orderId, "captured");
    await announcedAre(order.orderId, "payment.captured.v1");
    expect(await ledger(order.orderId)).toEqual(["charge"]);
  });

  test("when nothing but the row remembers that it was about to", async () => {
    await payment.kill();
    const order = orderOf(user);
    await world.pool.query(
      `INSERT INTO payments (order_id, user_id, chain, amount_cents, state, changed_at)
       VALUES (?, ?, 'async', ?, 'charging', CURRENT_TIMESTAMP - INTERVAL 1 MINUTE)`,
      [order.orderId, user, order.totalCents],
    );
    payment = await world.startPayment();
    await comesTo(order.orderId, "captured");
    await announcedAre(order.orderId, "payment.captured.v1");
    expect(await ledger(order.orderId)).toEqual(["charge"]);
  });
});

test("while the provider is away its customers wait in order, and are charged when it is back", async () => {
  await world.provider.current.kill();
  const orders = [await placed(), await placed()];
  await comesTo(orders[0]?.orderId as string, "charging");
  await world.provider.restart();
  for (const { orderId } of orders) {
    await comesTo(orderId, "captured");
  }
  await until("both events", () => orders.every(({ orderId }) => announced(orderId).length === 1));
  const inOrder = world.log.events.filter(
    ({ type, key }) => type.startsWith("payment.") && key === String(user),
  );
  expect(inOrder.map(({ data }) => "orderId" in data && data.orderId)).toEqual(
    orders.map(({ orderId }) => orderId),
  );
});

test("an erased user is taken out of the books, which stay", async () => {
  const order = await captured();
  await world.log.publish("user.erased.v1", { userId: user, erasureId: "erasure-1" });
  await until("the report", () =>
    world.log.events.some(({ type, key }) => type === "user.data-erased.v1" && key === String(user)),
  );
  expect(await world.paymentOf(order.orderId)).toMatchObject({ userId: null, state: "captured" });
  // What comes to nothing later is given back all the same.
  await world.log.publish("stock.rejected.v1", { ...order, sku: "mug-1" });
  await comesTo(order.orderId, "refunded");
  await announcedAre(order.orderId, "payment.captured.v1", "payment.refunded.v1");
});

test("an order that is heard of after its customer's erasure is charged, and nobody's", async () => {
  await world.log.publish("user.erased.v1", { userId: user, erasureId: "erasure-2" });
  const order = await captured();
  expect(await world.paymentOf(order.orderId)).toMatchObject({ userId: null });
  await world.log.publish("order.cancelled.v1", { ...order, reason: "changed my mind" });
  await comesTo(order.orderId, "refunded");
  const unheard = orderOf(user);
  await world.log.publish("order.cancelled.v1", { ...unheard, reason: "changed my mind" });
  await comesTo(unheard.orderId, "voided");
  expect(await world.paymentOf(unheard.orderId)).toMatchObject({ userId: null });
});

test("payments that can't be settled keep no later one waiting", async () => {
  await payment.kill();
  // More than a round takes, whose charges the provider does not know.
  const hopeless = Array.from({ length: 101 }, (_, index) => `hopeless-${index}`);
  await world.pool.query(
    `INSERT INTO payments (order_id, user_id, chain, amount_cents, state, charge_id, cancel_reason, changed_at) VALUES ?`,
    [hopeless.map((id) => [id, user, "async", 5, "refunding", "none", "sold out", new Date(86_400_000)])],
  );
  const { orderId } = orderOf(user);
  await world.pool.query(
    `INSERT INTO payments (order_id, user_id, chain, amount_cents, state, changed_at)
     VALUES (?, ?, 'async', 4200, 'charging', CURRENT_TIMESTAMP - INTERVAL 1 HOUR)`,
    [orderId, user],
  );
  payment = await world.startPayment();
  await comesTo(orderId, "captured");
  await world.pool.query("DELETE FROM payments WHERE order_id LIKE 'hopeless-%'");
});

describe("over HTTP", () => {
  function get(path: string, token?: string): Promise<Response> {
    return fetch(`${payment.url}${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  }

  test("a payment is shown to its customer and to administrators, and to nobody else", async () => {
    const order = await captured();
    const path = `/api/payments/${order.orderId}`;
    const own = await get(path, world.identities.tokenOf(user));
    expect(own.status).toBe(200);
    expect(await own.json()).toMatchObject({ orderId: order.orderId, userId: user, state: "captured" });
    expect((await get(path, world.identities.tokenOf(999, "admin"))).status).toBe(200);
    expect((await get(path)).status).toBe(401);
    const other = await get(path, world.identities.tokenOf(998));
    const missing = await get(`/api/payments/${orderOf(1).orderId}`, world.identities.tokenOf(998));
    expect([other.status, missing.status]).toEqual([404, 404]);
  });

  test("no token of a person opens what is for services", async () => {
    const answer = await fetch(`${payment.url}/internal/payments`, {
      method: "POST",
      headers: { authorization: `Bearer ${world.identities.tokenOf(user, "admin")}` },
    });
    expect(answer.status).toBe(401);
  });

  test("without its database it asks for patience", async () => {
    await world.mysql.kill();
    try {
      const answer = await get(`/api/payments/${orderOf(1).orderId}`, world.identities.tokenOf(user));
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect((await get("/readyz")).status).toBe(503);
    } finally {
      await world.mysql.start();
    }
    await captured();
  });
});

describe("whatever is sent", () => {
  async function run(backendUp: boolean) {
    const document = (await (await fetch(`${payment.url}/openapi.json`)).json()) as ApiDocument;
    const service = await createServiceTokens({ key: world.serviceTokenKey, name: "order" }).sign("payment");
    const tokens = ["", world.identities.tokenOf(user), world.identities.tokenOf(999, "admin"), service];
    return fuzz({ origin: payment.url, document, runs: 60, seed: 7, tokens, backendUp });
  }

  test("is answered as the document says, and never with 5xx", async () => {
    const { violations, statuses } = await run(true);
    expect(violations).toEqual([]);
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "404"]));
  });

  test("gets 503 with Retry-After while MySQL is away", async () => {
    await world.mysql.kill();
    try {
      const { violations, statuses } = await run(false);
      expect(violations).toEqual([]);
      expect(statuses["503"]).toBeGreaterThan(0);
    } finally {
      await world.mysql.start();
    }
  });
});
