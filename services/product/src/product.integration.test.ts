import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DocumentServer, startFerretdb } from "../../../tests/servers/ferretdb.ts";
import { ServiceWorld } from "../../../tests/support/service-world.ts";
import { until } from "../../../tests/support/until.ts";

interface Product {
  sku: string;
  stock: number;
}

let server: DocumentServer;
let world: ServiceWorld;
let number = 0;

beforeAll(async () => {
  server = await startFerretdb();
  world = await ServiceWorld.start("product", { MONGODB_URL: server.url, MONGODB_DATABASE: "product" });
});

afterAll(async () => {
  await world?.stop();
  await server?.stop();
});

/** A new product. */
async function product(fields: object = {}): Promise<string> {
  number += 1;
  const sku = `thing-${number}`;
  const body = { name: "Thing", category: "things", priceCents: 100, ...fields };
  expect(await world.ask("admin", "PUT", `/api/products/${sku}`, body)).toMatchObject({ status: 200 });
  return sku;
}

function reserve(who: number, sku: string, quantity: number, reference = "r1") {
  return world.ask(who, "POST", `/api/products/${sku}/reservations`, { quantity, reference });
}

/** Whether so many units can be had, and no more. Takes them. */
async function expectLeft(sku: string, quantity: number): Promise<void> {
  expect(await reserve(1, sku, quantity + 1, randomUUID())).toMatchObject({ status: 409 });
  if (quantity > 0) {
    expect(await reserve(1, sku, quantity, randomUUID())).toMatchObject({ status: 201 });
  }
}

describe("products", () => {
  test("everybody reads them, only an administrator writes them", async () => {
    const sku = await product({ stock: 3 });
    expect(await world.ask("nobody", "GET", `/api/products/${sku}`)).toMatchObject({
      status: 200,
      body: { sku, stock: 3 },
    });
    const body = { name: "Mine", category: "things", priceCents: 0 };
    for (const [who, status] of [
      ["nobody", 401],
      [101, 403],
    ] as const) {
      expect(await world.ask(who, "PUT", `/api/products/${sku}`, body)).toMatchObject({ status });
      expect(await world.ask(who, "DELETE", `/api/products/${sku}`)).toMatchObject({ status });
      expect(await world.ask(who, "PUT", "/api/products/students/1", { name: "Me" })).toMatchObject({
        status,
      });
    }
    expect(await world.ask("nobody", "GET", `/api/products/${sku}`)).toMatchObject({
      body: { name: "Thing" },
    });
  });

  test("one that doesn't say how many there are has 1000", async () => {
    const sku = await product();
    expect((await world.ask<Product>("nobody", "GET", `/api/products/${sku}`)).body.stock).toBe(1000);
  });

  test("no product has the name of a path, so that none is there which can't be read", async () => {
    const body = { name: "Class", category: "things", priceCents: 100 };
    expect((await world.ask("admin", "PUT", "/api/products/students", body)).status).toBe(400);
    expect((await reserve(101, "students", 1)).status).toBe(400);
    expect((await world.ask("nobody", "GET", "/api/products/students")).body).toEqual(expect.any(Array));
  });

  test("any field is a filter, page by page", async () => {
    const skus = [];
    for (let index = 0; index < 5; index++) {
      skus.push(await product({ shelf: { row: 77 }, color: index % 2 ? "red" : "blue" }));
    }
    const found = async (query: string) =>
      (await world.ask<Product[]>("nobody", "GET", `/api/products?${query}`)).body.map(({ sku }) => sku);
    expect(await found("shelf.row=77&color=red")).toEqual([skus[1], skus[3]]);
    expect(await found("shelf.row=77&limit=2")).toEqual(skus.slice(0, 2));
    expect(await found(`shelf.row=77&limit=2&after=${skus[1]}`)).toEqual(skus.slice(2, 4));
    for (const limit of [0, 501, "x"]) {
      expect(await world.ask("nobody", "GET", `/api/products?limit=${limit}`)).toMatchObject({ status: 400 });
    }
  });

  test.each(["{$gt: ''}", '{"$ne": null}', "'; return true; //", "$where", "[$ne]=1"])(
    "%s is a value like any other",
    async (text) => {
      const sku = await product({ note: text });
      await product({ note: "other" });
      const found = await world.ask<Product[]>(
        "nobody",
        "GET",
        `/api/products?note=${encodeURIComponent(text)}`,
      );
      expect(found.body.map((one) => one.sku)).toEqual([sku]);
    },
  );

  test.each(["$where=1", "note[$ne]=1", "a.$gt=1", "%24or=1", `${"a".repeat(201)}=1`])(
    "%s is not a filter",
    async (query) => {
      expect(await world.ask("nobody", "GET", `/api/products?${query}`)).toMatchObject({ status: 400 });
    },
  );

  test("what a logged-in person looks at is told, and nothing of others", async () => {
    const sku = await product();
    await world.ask("nobody", "GET", `/api/products/${sku}`);
    await world.ask(102, "GET", `/api/products/${sku}`);
    const views = () => world.events.events.filter(({ type }) => type === "product.viewed.v1");
    await until("the view", () => views().length > 0);
    expect(views()).toMatchObject([{ key: "102", data: { userId: 102, sku } }]);
  });
});

describe("reservations of people", () => {
  test("100 at once want one of 10: exactly 10 get one", async () => {
    const sku = await product({ stock: 10 });
    const another = await world.startAnother();
    try {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, person) =>
          world.ask(
            1000 + person,
            "POST",
            `/api/products/${sku}/reservations`,
            { quantity: 1, reference: "r1" },
            person % 2 ? another.url : undefined,
          ),
        ),
      );
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(90);
    } finally {
      await another.kill();
    }
  });

  test("want a token, a product and a whole number of units", async () => {
    const sku = await product();
    const path = `/api/products/${sku}/reservations`;
    expect(await world.ask("nobody", "POST", path, { quantity: 1, reference: "r" })).toMatchObject({
      status: 401,
    });
    expect(await reserve(101, "nothing", 1)).toMatchObject({ status: 404 });
    for (const quantity of [0, -1, 1.5, 1001, "1"]) {
      expect(await world.ask(101, "POST", path, { quantity, reference: "r" })).toMatchObject({ status: 400 });
    }
  });

  test("a reference is a person's own: nobody else can see or release what it names", async () => {
    const sku = await product({ stock: 3 });
    expect(await reserve(101, sku, 2)).toMatchObject({
      status: 201,
      body: { sku, quantity: 2, reference: "r1" },
    });
    expect(await reserve(101, sku, 1)).toMatchObject({ status: 201, body: { quantity: 2 } });
    expect(await world.ask(102, "DELETE", `/api/products/${sku}/reservations/r1`)).toMatchObject({
      status: 404,
    });
    expect(await world.ask("nobody", "DELETE", `/api/products/${sku}/reservations/r1`)).toMatchObject({
      status: 401,
    });
    expect(await reserve(102, sku, 1)).toMatchObject({ status: 201, body: { quantity: 1 } });
    expect(await reserve(102, sku, 1, "r2")).toMatchObject({ status: 409, body: { reason: "sold out" } });
    expect(await world.ask(101, "DELETE", `/api/products/${sku}/reservations/r1`)).toMatchObject({
      status: 204,
    });
    expect(await reserve(101, sku, 2)).toMatchObject({ status: 409, body: { reason: "released" } });
    await expectLeft(sku, 2);
  });
});

describe("orders", () => {
  const userId = 7;

  async function place(lines: Record<string, number>): Promise<string> {
    const orderId = randomUUID();
    await world.events.publish("order.placed.v1", {
      orderId,
      userId,
      lines: Object.entries(lines).map(([sku, quantity]) => ({
        sku,
        name: "Thing",
        quantity,
        priceCents: 100,
      })),
      totalCents: 100,
      placedAt: new Date().toISOString(),
      chain: "async",
    });
    return orderId;
  }

  test("what is paid in the synchronous chain is reserved also before the order is heard of", async () => {
    const sku = await product();
    const lines = [{ sku, name: "Thing", quantity: 1, priceCents: 100 }];
    const order = { orderId: randomUUID(), userId };
    const paid = { ...order, amountCents: 100, chargeId: "c", chain: "sync" as const, lines };
    await world.events.publish("payment.captured.v1", paid);
    await told(order.orderId, "stock.reserved.v1");
    const placedAt = new Date().toISOString();
    await world.events.publish("order.placed.v1", {
      ...order,
      lines,
      totalCents: 100,
      placedAt,
      chain: "sync",
    });
    await settled();
    await told(order.orderId, "stock.reserved.v1");
  });

  function pay(orderId: string): Promise<void> {
    return world.events.publish("payment.captured.v1", {
      orderId,
      userId,
      amountCents: 100,
      chargeId: "c",
      chain: "async",
    });
  }

  async function told(orderId: string, ...types: string[]): Promise<void> {
    await until(
      `${types} of ${orderId}`,
      () => world.events.ofOrder(orderId, "product").length >= types.length,
    );
    expect(world.events.ofOrder(orderId, "product")).toEqual(types);
  }

  /** All events of the person up to here have been handled. */
  async function settled(): Promise<void> {
    const orderId = await place({ [await product()]: 1 });
    await pay(orderId);
    await told(orderId, "stock.reserved.v1");
  }

  test("what is paid is reserved, once", async () => {
    const [one, two] = [await product({ stock: 5 }), await product({ stock: 5 })];
    const orderId = await place({ [one]: 2, [two]: 3 });
    await pay(orderId);
    await told(orderId, "stock.reserved.v1");
    await pay(orderId);
    await settled();
    // Said again, as the same event, which the stream keeps once.
    await told(orderId, "stock.reserved.v1");
    await expectLeft(one, 3);
    await expectLeft(two, 2);
  });

  test("what can't be had as a whole is rejected, and nothing of it is kept", async () => {
    const [there, scarce] = [await product({ stock: 5 }), await product({ stock: 1 })];
    const orderId = await place({ [there]: 1, [scarce]: 2 });
    await pay(orderId);
    await told(orderId, "stock.rejected.v1");
    expect(
      world.events.events.find(({ type, data }) => type === "stock.rejected.v1" && data.orderId === orderId),
    ).toMatchObject({ key: "7", data: { userId, sku: scarce } });
    await pay(orderId);
    await settled();
    await told(orderId, "stock.rejected.v1");
    await expectLeft(there, 5);
    await expectLeft(scarce, 1);
  });

  test("a product that is gone is rejected", async () => {
    const orderId = await place({ nothing: 1 });
    await pay(orderId);
    await told(orderId, "stock.rejected.v1");
  });

  test("what is cancelled is given back", async () => {
    const sku = await product({ stock: 4 });
    const orderId = await place({ [sku]: 4 });
    await pay(orderId);
    await world.events.publish("order.cancelled.v1", { orderId, userId, reason: "changed my mind" });
    await settled();
    await told(orderId, "stock.reserved.v1");
    await expectLeft(sku, 4);
  });

  test("what is cancelled before it is paid is never reserved", async () => {
    const sku = await product({ stock: 4 });
    const orderId = await place({ [sku]: 4 });
    await world.events.publish("order.cancelled.v1", { orderId, userId, reason: "changed my mind" });
    await pay(orderId);
    await settled();
    await told(orderId);
    await expectLeft(sku, 4);
  });

  test("a payment is answered by an instance that has not seen the order placed", async () => {
    const sku = await product({ stock: 4 });
    const orderId = await place({ [sku]: 3 });
    await settled();
    await world.service.kill();
    world.service = await world.startAnother();
    await pay(orderId);
    await told(orderId, "stock.reserved.v1");
    await expectLeft(sku, 1);
  });
});

test("an erased person is answered for: nothing here says whose anything is", async () => {
  const erasureId = randomUUID();
  await world.events.publish("user.erased.v1", { userId: 101, erasureId });
  const answers = () => world.events.events.filter(({ type }) => type === "user.data-erased.v1");
  await until("the answer", () => answers().length > 0);
  expect(answers()).toMatchObject([
    { key: "101", data: { userId: 101, erasureId, service: "product", records: 0 } },
  ]);
});

test("no input makes it fail, and it answers as its document says", async () => {
  const { violations, statuses } = await world.fuzz({ runs: 150, backendUp: true });
  expect(violations).toEqual([]);
  expect(statuses[200]).toBeGreaterThan(50);
});

test("while its database is away it says so, and orders wait", async () => {
  const sku = await product({ stock: 1 });
  await server.kill();
  await until("it to be unready", async () => !(await world.isReady()));
  const { violations, statuses } = await world.fuzz({ runs: 6, backendUp: false });
  expect(violations).toEqual([]);
  expect(statuses[503]).toBeGreaterThan(10);
  const orderId = randomUUID();
  const order = { orderId, userId: 8 };
  await world.events.publish("order.placed.v1", {
    ...order,
    lines: [{ sku, name: "Thing", quantity: 1, priceCents: 100 }],
    totalCents: 100,
    placedAt: new Date().toISOString(),
    chain: "async",
  });
  await world.events.publish("payment.captured.v1", {
    ...order,
    amountCents: 100,
    chargeId: "c",
    chain: "async",
  });
  await server.start();
  await until("the answer", () => world.events.ofOrder(orderId, "product").length > 0);
  expect(world.events.ofOrder(orderId, "product")).toEqual(["stock.reserved.v1"]);
});
