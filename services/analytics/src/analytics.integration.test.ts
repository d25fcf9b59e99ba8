import { randomUUID } from "node:crypto";
import type { DataOf, EventType } from "@lab/messaging";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CassandraServer, startCassandra } from "../../../tests/servers/cassandra.ts";
import { ServiceWorld, type Who } from "../../../tests/support/service-world.ts";
import { until } from "../../../tests/support/until.ts";
import { isCassandraAway } from "./away.ts";
import { dayOf } from "./days.ts";

interface Event {
  id: string;
  at: string;
  type: string;
  attributes: Record<string, string>;
}

interface Sale {
  sku: string;
  orders: number;
  quantity: number;
  revenueCents: number;
}

let server: CassandraServer;
let world: ServiceWorld;
let number = 1000;

beforeAll(async () => {
  server = await startCassandra();
  world = await ServiceWorld.start("analytics", server.environment);
  await until("it to be ready", () => world.isReady(), 60_000);
});

afterAll(async () => {
  await world?.stop();
  await server?.stop();
});

test.each([
  ["a read", "SELECT * FROM never_made"],
  ["a write", "INSERT INTO never_made (id) VALUES (1)"],
  ["a read of a keyspace that is missing", "SELECT * FROM never.made"],
])("%s before the migration is for a moment later", async (_, statement) => {
  const ask = (options: object) =>
    server.client.execute(statement, [], options).then(
      () => "an answer",
      (error: Error) => error,
    );
  for (const prepare of [false, true]) {
    const error = await ask({ prepare });
    expect(isCassandraAway(error), String(error)).toBe(true);
  }
});

/** Someone of whom nothing is known. */
function newPerson(): number {
  number += 1;
  return number;
}

const today = dayOf(new Date());

function publish<T extends EventType>(type: T, data: DataOf<T> & { userId: number }, id?: string) {
  return world.events.publish(type, data, id);
}

function record(userId: number, id: string, at: string, attributes: object = {}) {
  return world.ask("admin", "PUT", `/api/analytics/users/${userId}/events/${id}`, {
    at,
    type: "viewed",
    attributes,
  });
}

async function eventsOf(
  userId: number,
  query = `from=${today}&to=${today}`,
  who: Who = userId,
): Promise<Event[]> {
  const { status, body } = await world.ask<Event[]>(
    who,
    "GET",
    `/api/analytics/users/${userId}/events?${query}`,
  );
  expect(status).toBe(200);
  return body;
}

async function salesOf(sku: string): Promise<Sale[]> {
  const { body } = await world.ask<Sale[]>(
    "admin",
    "GET",
    `/api/analytics/sales?from=${today}&to=${today}&sku=${sku}`,
  );
  return body;
}

function orderOf(userId: number, quantities: Record<string, number>): DataOf<"order.placed.v1"> {
  return {
    orderId: randomUUID(),
    userId,
    lines: Object.entries(quantities).map(([sku, quantity]) => ({
      sku,
      name: "Thing",
      quantity,
      priceCents: 100,
    })),
    totalCents: 100,
    placedAt: new Date().toISOString(),
    chain: "async",
  };
}

function paid({ orderId, userId }: { orderId: string; userId: number }): DataOf<"payment.captured.v1"> {
  return { orderId, userId, amountCents: 100, chargeId: "c", chain: "async" };
}

/** All events of a person up to here have been handled. */
async function settled(userId: number): Promise<void> {
  await publish("cart.merged.v1", { userId, items: 77 });
  await until("the last event", async () =>
    (await eventsOf(userId)).some(
      ({ type, attributes }) => type === "cart.merged.v1" && attributes.items === "77",
    ),
  );
}

describe("a user's events", () => {
  test("are what the shop says, each with columns of its own, and nobody's name or email", async () => {
    const userId = newPerson();
    await publish("user.registered.v1", { userId, name: "Riya Secret", email: "riya@secret.example" });
    await publish("product.viewed.v1", { userId, sku: "tea-1" });
    const order = orderOf(userId, { "tea-1": 2, "book-1": 1 });
    await publish("order.placed.v1", order);
    await settled(userId);
    const events = await eventsOf(userId);
    expect(Object.fromEntries(events.map(({ type, attributes }) => [type, attributes]))).toMatchObject({
      "user.registered.v1": {},
      "product.viewed.v1": { sku: "tea-1" },
      "order.placed.v1": { orderId: order.orderId, "line.tea-1": "2", "line.book-1": "1" },
    });
    expect(JSON.stringify(events)).not.toContain("ecret");
  });

  test("come once, however often they are published", async () => {
    const userId = newPerson();
    const id = randomUUID();
    await record(userId, id, `${today}T00:00:00Z`);
    await record(userId, id, `${today}T00:00:00Z`);
    expect(await eventsOf(userId)).toHaveLength(1);
    expect(await eventsOf(userId, "")).toHaveLength(1);
  });

  test("are read in the order of time, over days, page by page", async () => {
    const userId = newPerson();
    const moments = [
      "2025-10-27T23:59:00Z",
      "2025-10-28T10:00:00Z",
      "2025-10-28T10:00:00Z",
      "2025-10-29T10:00:00Z",
    ];
    for (const [index, at] of moments.entries()) {
      await record(userId, `e${index}`, at);
    }
    const span = "from=2025-10-27&to=2025-10-30";
    expect((await eventsOf(userId, span)).map(({ id }) => id)).toEqual(["e3", "e1", "e2", "e0"]);
    expect(await eventsOf(userId, "from=2025-10-28&to=2025-10-28")).toHaveLength(2);
    const seen: string[] = [];
    for (let after = "", pages = 0; pages < 5; pages++) {
      const [event] = await eventsOf(userId, `${span}&limit=1${after}`);
      if (event) {
        seen.push(event.id);
        after = `&after=${event.at},${event.id}`;
      }
    }
    expect(seen).toEqual(["e3", "e1", "e2", "e0"]);
  });

  test("are for the person and administrators", async () => {
    const userId = newPerson();
    const path = `/api/analytics/users/${userId}/events`;
    const query = `?from=${today}&to=${today}`;
    expect(await eventsOf(userId, undefined, "admin")).toEqual([]);
    expect((await world.ask(newPerson(), "GET", path + query)).status).toBe(403);
    expect((await world.ask("nobody", "GET", path + query)).status).toBe(401);
    const event = { at: `${today}T00:00:00Z`, type: "viewed" };
    expect((await world.ask(userId, "PUT", `${path}/e1`, event)).status).toBe(403);
    expect((await world.ask("nobody", "PUT", `${path}/e1`, event)).status).toBe(401);
    expect(await eventsOf(userId)).toEqual([]);
  });

  test.each([
    "from=2025-01-01",
    "from=2025-10-29&to=2025-10-28",
    "from=2025-01-01&to=2025-12-31",
    "from=0001-01-01&to=0001-01-02",
    `from=${today}&to=${today}&limit=501`,
    `from=${today}&to=${today}&after=soon`,
  ])("%s is refused", async (query) => {
    expect((await world.ask("admin", "GET", `/api/analytics/users/1/events?${query}`)).status).toBe(400);
  });

  test.each(["'; DROP TABLE events; --", "1' OR '1'='1", "{'a': 'b'}", "$$"])(
    "%s is a value like any other",
    async (text) => {
      const userId = newPerson();
      expect((await record(userId, "e1", `${today}T00:00:00Z`, { [text]: text })).status).toBe(200);
      expect((await eventsOf(userId))[0]?.attributes).toEqual({ [text]: text });
    },
  );
});

describe("sales", () => {
  test("are summed by product and day, whatever comes twice", async () => {
    const [userId, one, two] = [newPerson(), `tea-${number}`, `book-${number}`];
    const first = orderOf(userId, { [one]: 2, [two]: 1 });
    const second = orderOf(userId, { [one]: 3 });
    for (const order of [first, second, first]) {
      await publish("order.placed.v1", order);
      await publish("payment.captured.v1", paid(order));
      await publish("payment.captured.v1", paid(order));
    }
    await publish("order.placed.v1", orderOf(userId, { [one]: 50 }));
    await settled(userId);
    expect(await salesOf(one)).toMatchObject([{ sku: one, orders: 2, quantity: 5, revenueCents: 500 }]);
    expect(await salesOf(two)).toMatchObject([{ sku: two, orders: 1, quantity: 1, revenueCents: 100 }]);
    const all = await world.ask<Sale[]>(
      "admin",
      "GET",
      `/api/analytics/sales?from=${today}&to=${today}&limit=500`,
    );
    expect(all.body.map(({ sku }) => sku)).toEqual(expect.arrayContaining([one, two]));
    expect(
      (await world.ask<Sale[]>("admin", "GET", `/api/analytics/sales?from=${today}&to=${today}&limit=1`))
        .body,
    ).toHaveLength(1);
  });

  test("count what is paid before its order is heard of", async () => {
    const [userId, sku] = [newPerson(), `tea-${number}`];
    const order = orderOf(userId, { [sku]: 2 });
    await publish("payment.captured.v1", { ...paid(order), chain: "sync", lines: order.lines });
    await publish("order.placed.v1", { ...order, chain: "sync" });
    await settled(userId);
    expect(await salesOf(sku)).toMatchObject([{ orders: 1, quantity: 2, revenueCents: 200 }]);
  });

  test("what was given back is taken off, once", async () => {
    const [userId, sku] = [newPerson(), `tea-${number}`];
    const order = orderOf(userId, { [sku]: 2 });
    const refund = { orderId: order.orderId, userId, amountCents: 200, refundId: "r", reason: "sold out" };
    await publish("order.placed.v1", order);
    await publish("payment.captured.v1", paid(order));
    await publish("payment.refunded.v1", refund);
    await publish("payment.refunded.v1", refund);
    await publish("payment.captured.v1", paid(order));
    await settled(userId);
    expect(await salesOf(sku)).toMatchObject([{ orders: 1, quantity: 0, revenueCents: 0 }]);
  });

  test("are for administrators", async () => {
    const path = `/api/analytics/sales?from=${today}&to=${today}`;
    expect((await world.ask(newPerson(), "GET", path)).status).toBe(403);
    expect((await world.ask("nobody", "GET", path)).status).toBe(401);
  });
});

describe("rows", () => {
  test("have columns of their own; everybody reads them, administrators write them", async () => {
    await world.ask("admin", "PUT", "/api/analytics/rows/1/city", { value: "Pune" });
    await world.ask("admin", "PUT", "/api/analytics/rows/1/age", { value: 22 });
    await world.ask("admin", "PUT", "/api/analytics/rows/2/level", { value: "Pro" });
    expect((await world.ask("nobody", "GET", "/api/analytics/rows/1")).body).toEqual({
      age: 22,
      city: "Pune",
    });
    expect((await world.ask("nobody", "GET", "/api/analytics/rows/2")).body).toEqual({ level: "Pro" });
    for (const [who, status] of [
      ["nobody", 401],
      [101, 403],
    ] as const) {
      expect((await world.ask(who, "PUT", "/api/analytics/rows/1/city", { value: "x" })).status).toBe(status);
      expect((await world.ask(who, "DELETE", "/api/analytics/rows/1/city")).status).toBe(status);
    }
    expect((await world.ask("admin", "DELETE", "/api/analytics/rows/1/city")).status).toBe(204);
    expect((await world.ask("nobody", "GET", "/api/analytics/rows/1")).body).toEqual({ age: 22 });
  });
});

test("an erased person's partitions are gone, that is answered, and nothing brings them back", async () => {
  const [userId, other, erasureId] = [newPerson(), newPerson(), randomUUID()];
  await record(userId, "e1", "2025-10-28T10:00:00Z");
  await record(userId, "e2", "2025-11-28T10:00:00Z");
  await record(other, "e1", "2025-10-28T10:00:00Z");
  await publish("product.viewed.v1", { userId, sku: "tea-1" });
  await publish("user.erased.v1", { userId, erasureId });
  await publish("product.viewed.v1", { userId, sku: "tea-1" });
  const answers = () =>
    world.events.events.filter(({ type, data }) => type === "user.data-erased.v1" && data.userId === userId);
  await until("the answer", () => answers().length > 0);
  expect(answers()).toMatchObject([{ data: { erasureId, service: "analytics", records: 3 } }]);
  expect((await record(userId, "e3", "2025-10-28T10:00:00Z")).status).toBe(409);
  for (const table of ["events", "user_days"]) {
    const { rows } = await server.client.execute(
      `SELECT * FROM ${table} WHERE user_id = '${userId}' ALLOW FILTERING`,
    );
    expect(rows, table).toEqual([]);
  }
  expect(await eventsOf(other, "from=2025-10-28&to=2025-10-28")).toHaveLength(1);
});

test("what is recorded while a person is erased doesn't outlive them", async () => {
  const userId = newPerson();
  let status = 200;
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let index = 0; status === 200; index++) {
      const day = 1 + (index % 28);
      const at = `2025-${String(writer + 1).padStart(2, "0")}-${String(day).padStart(2, "0")}T00:00:00Z`;
      status = (await record(userId, `e${index}`, at)).status;
    }
  });
  await until(
    "some events",
    async () => (await eventsOf(userId, "from=2025-01-01&to=2025-01-28")).length > 5,
  );
  await publish("user.erased.v1", { userId, erasureId: randomUUID() });
  await Promise.all(writers);
  expect(status).toBe(409);
  const answered = () =>
    world.events.events.some(({ type, data }) => type === "user.data-erased.v1" && data.userId === userId);
  await until("the answer", answered);
  for (const table of ["events", "user_days"]) {
    const { rows } = await server.client.execute(
      `SELECT * FROM ${table} WHERE user_id = '${userId}' ALLOW FILTERING`,
    );
    expect(rows, table).toEqual([]);
  }
});

test("no input makes it fail, and it answers as its document says", async () => {
  const { violations, statuses } = await world.fuzz({ runs: 150, backendUp: true });
  expect(violations).toEqual([]);
  expect(statuses[200]).toBeGreaterThan(50);
});

test("while Cassandra is away it says so, and events wait", async () => {
  const userId = newPerson();
  // Some are under way at any moment, also when it ends.
  const statuses = new Set<number>();
  let isOver = false;
  const callers = Array.from({ length: 16 }, async () => {
    while (!isOver) {
      statuses.add((await world.ask("admin", "GET", "/api/analytics/rows/1")).status);
    }
  });
  await until("answers", () => statuses.has(200));
  await server.kill();
  await until("refusals", () => statuses.has(503));
  isOver = true;
  await Promise.all(callers);
  expect(statuses).toEqual(new Set([200, 503]));
  await until("it to be unready", async () => !(await world.isReady()));
  const fuzzed = await world.fuzz({ runs: 6, backendUp: false });
  expect(fuzzed.violations).toEqual([]);
  expect(fuzzed.statuses[503]).toBeGreaterThan(4);
  await publish("product.viewed.v1", { userId, sku: "tea-1" });
  await server.start();
  await until("the event", async () => (await eventsOf(userId)).length === 1, 60_000);
});
