import { type Db, MongoClient } from "mongodb";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type DocumentServer, startFerretdb } from "../../../tests/servers/ferretdb.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { migrate } from "./migrate.ts";
import { givenUpMs, type Outcome, Stock } from "./stock.ts";

let server: DocumentServer;
let client: MongoClient;
let database: Db;
let number = 0;
/** How many there are of each product; a test may change it. */
let amounts: Map<string, number>;

beforeAll(async () => {
  server = await startFerretdb();
  client = new MongoClient(server.url, { directConnection: true, maxPoolSize: 50 });
});

afterAll(async () => {
  await client.close();
  await server.stop();
});

beforeEach(async () => {
  number += 1;
  database = client.db(`product${number}`);
  amounts = new Map([["kite", 10]]);
  await migrate(database, log);
});

/** The stock as one instance of the service sees it: what another one remembers is not known here. */
function instance(of: Db = database, now = Date.now): Stock {
  return new Stock(of, async (sku) => amounts.get(sku) ?? 0, now);
}

/** Units that are claimed and not given back: the truth, from the documents themselves. */
async function unitsOut(): Promise<number> {
  const [claimed, returned] = await Promise.all([
    database.collection("stock_slots").countDocuments(),
    database.collection("stock_returns").countDocuments(),
  ]);
  return claimed - returned;
}

function count(outcomes: Outcome[], state: Outcome["state"]): number {
  return outcomes.filter((outcome) => outcome.state === state).length;
}

test("100 people at once want one of 10: exactly 10 get one, ten times in a row", async () => {
  for (let round = 1; round <= 10; round++) {
    const sku = `kite-${round}`;
    amounts.set(sku, 10);
    const instances = [instance(), instance(), instance()];
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, person) =>
        (instances[person % 3] as Stock).reserve({ key: `${sku}:${person}`, sku, quantity: 1 }),
      ),
    );
    expect(count(outcomes, "reserved"), sku).toBe(10);
    expect(count(outcomes, "sold out"), sku).toBe(90);
    expect(await unitsOut()).toBe(10 * round);
  }
});

test("several units are reserved all or not at all, and never more than there are", async () => {
  amounts.set("kite", 25);
  const instances = [instance(), instance()];
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, person) =>
      (instances[person % 2] as Stock).reserve({ key: `${person}`, sku: "kite", quantity: 3 }),
    ),
  );
  const reserved = count(outcomes, "reserved");
  // What two hold of the last units while neither gets enough is given back too late for them.
  expect(reserved).toBeGreaterThanOrEqual(6);
  expect(reserved).toBeLessThanOrEqual(8);
  expect(await unitsOut()).toBe(3 * reserved);
});

test("the same key is the same reservation, at once and later, on any instance", async () => {
  const [one, other] = [instance(), instance()];
  const wanted = { key: "mine", sku: "kite", quantity: 4 };
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, (_, index) => (index % 2 ? one : other).reserve(wanted)),
  );
  outcomes.push(await instance().reserve({ ...wanted, quantity: 2 }));
  expect(outcomes).toEqual(Array(11).fill({ state: "reserved", quantity: 4 }));
  expect(await unitsOut()).toBe(4);
});

test("released units can be reserved again, by others", async () => {
  const stock = instance();
  await stock.reserve({ key: "first", sku: "kite", quantity: 10 });
  expect((await stock.reserve({ key: "second", sku: "kite", quantity: 1 })).state).toBe("sold out");
  await Promise.all([
    stock.release({ key: "first", sku: "kite" }),
    stock.release({ key: "first", sku: "kite" }),
    instance().release({ key: "first", sku: "kite" }),
  ]);
  expect(await unitsOut()).toBe(0);
  expect(await stock.reserve({ key: "first", sku: "kite", quantity: 10 })).toEqual({
    state: "released",
    quantity: 10,
  });
  expect((await stock.reserve({ key: "second", sku: "kite", quantity: 1 })).state).toBe("sold out");
  expect((await stock.reserve({ key: "third", sku: "kite", quantity: 10 })).state).toBe("reserved");
  expect((await instance().reserve({ key: "fourth", sku: "kite", quantity: 1 })).state).toBe("sold out");
});

test("what is released before it is reserved is not reserved any more", async () => {
  const stock = instance();
  await stock.release({ key: "cancelled", sku: "kite" });
  expect((await stock.reserve({ key: "cancelled", sku: "kite", quantity: 1 })).state).toBe("sold out");
  expect(await unitsOut()).toBe(0);
});

test("more can be reserved once there is more", async () => {
  const stock = instance();
  await stock.reserve({ key: "first", sku: "kite", quantity: 10 });
  amounts.set("kite", 12);
  expect((await stock.reserve({ key: "second", sku: "kite", quantity: 2 })).state).toBe("reserved");
  amounts.set("kite", 5);
  expect((await stock.reserve({ key: "third", sku: "kite", quantity: 1 })).state).toBe("sold out");
  expect((await stock.reserve({ key: "fourth", sku: "none", quantity: 1 })).state).toBe("sold out");
});

/** The database of an instance that dies as soon as it has made so many writes. */
function dyingAfter(writes: number): Db {
  let left = writes;
  return new Proxy(database, {
    get: (target, member) =>
      member !== "collection"
        ? Reflect.get(target, member)
        : (name: string, options: object) =>
            new Proxy(target.collection(name, options), {
              get(collection, method) {
                const value = Reflect.get(collection, method);
                if (typeof value !== "function") {
                  return value;
                }
                return (...args: unknown[]) => {
                  if (String(method).startsWith("insert") && left-- <= 0) {
                    return Promise.reject(new Error("killed"));
                  }
                  return value.apply(collection, args);
                };
              },
            }),
  });
}

test("a reservation that a crash has cut short is completed, wherever it was cut", async () => {
  amounts.set("kite", 100);
  const wanted = { sku: "kite", quantity: 3 };
  for (let writes = 0; writes < 5; writes++) {
    const key = `cut-${writes}`;
    await instance(dyingAfter(writes))
      .reserve({ ...wanted, key })
      .catch((error) => expect(error.message).toBe("killed"));
    expect(await instance().reserve({ ...wanted, key })).toEqual({ state: "reserved", quantity: 3 });
    expect(await unitsOut(), key).toBe(3 * (writes + 1));
  }
});

test("a start completes what nobody asks for again", async () => {
  const wanted = { sku: "kite", quantity: 3 };
  for (const [key, writes] of [
    ["claimed", 2],
    ["begun", 1],
  ] as const) {
    await expect(instance(dyingAfter(writes)).reserve({ ...wanted, key })).rejects.toThrow("killed");
  }
  expect(await unitsOut()).toBe(3);
  await instance().recover(log);
  expect(await unitsOut()).toBe(6);
  expect(await instance().reserve({ ...wanted, key: "begun" })).toEqual({ state: "reserved", quantity: 3 });
  await instance().recover(log);
  expect(await unitsOut()).toBe(6);
});

test("a person who was told that it failed gets nothing later, and the units are free", async () => {
  const wanted = { key: "person", sku: "kite", quantity: 3, isForPerson: true };
  await expect(instance(dyingAfter(2)).reserve(wanted)).rejects.toThrow("killed");
  // Another instance may be about to answer.
  await instance().recover(log);
  expect(await unitsOut()).toBe(3);
  await instance(database, () => Date.now() + givenUpMs).recover(log);
  expect(await unitsOut()).toBe(0);
  expect(await instance().reserve(wanted)).toEqual({ state: "sold out", quantity: 0 });
  expect(await unitsOut()).toBe(0);
});

test("a start gives back what was claimed in vain", async () => {
  amounts.set("kite", 5);
  await instance().reserve({ key: "first", sku: "kite", quantity: 1 });
  // It knows nothing of the first, claims the other four, and dies before it has given them back.
  const dying = instance(dyingAfter(3)).reserve({ key: "second", sku: "kite", quantity: 5 });
  await expect(dying).rejects.toThrow("killed");
  expect(await unitsOut()).toBe(5);
  await instance().recover(log);
  expect(await unitsOut()).toBe(1);
  expect(await instance().reserve({ key: "third", sku: "kite", quantity: 4 })).toMatchObject({
    state: "reserved",
  });
});

test("a reservation costs the same with thousands reserved of a stock of 100,000s", async () => {
  amounts.set("kite", 500_000);
  const stock = instance();
  const perReservationMs = async (name: string) => {
    const startedMs = performance.now();
    for (let index = 0; index < 50; index++) {
      await stock.reserve({ key: `${name}:${index}`, sku: "kite", quantity: 1 });
    }
    return (performance.now() - startedMs) / 50;
  };
  await perReservationMs("warm");
  const emptyMs = await perReservationMs("empty");
  for (let batch = 0; batch < 20; batch++) {
    await stock.reserve({ key: `batch:${batch}`, sku: "kite", quantity: 1000 });
  }
  const fullMs = await perReservationMs("full");
  // To look at all of 20,000 would take more than 20 ms here.
  expect(fullMs).toBeLessThan(emptyMs * 3 + 3);

  // An instance that was just started finds its place, and is as fast.
  const startedMs = performance.now();
  const late = instance();
  await late.reserve({ key: "late", sku: "kite", quantity: 1 });
  expect(performance.now() - startedMs).toBeLessThan(3000);
  expect(await unitsOut()).toBe(20_151);
});
