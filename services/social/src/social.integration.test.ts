import { randomUUID } from "node:crypto";
import type { DataOf } from "@lab/messaging";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Neo4jServer, startNeo4j } from "../../../tests/servers/neo4j.ts";
import { ServiceWorld, type Who } from "../../../tests/support/service-world.ts";
import { until } from "../../../tests/support/until.ts";
import { Graph, isNeo4jAway } from "./graph.ts";
import type { Person } from "./people.ts";
import type { Recommendation } from "./purchases.ts";

let server: Neo4jServer;
let world: ServiceWorld;
let number = 1000;

beforeAll(async () => {
  server = await startNeo4j();
  // What the service had before it knew people by their ids.
  await query("CREATE CONSTRAINT person_name FOR (person:Person) REQUIRE person.name IS UNIQUE");
  await query('CREATE (:Person {name: "Riya"})-[:FRIEND]->(:Person {name: "Sneha"})');
  world = await ServiceWorld.start("social", server.environment);
  await until("it to be ready", () => world.isReady(), 60_000);
});

afterAll(async () => {
  await world?.stop();
  await server?.stop();
});

async function query<T>(cypher: string): Promise<T[]> {
  return (await server.driver.executeQuery(cypher)).records.map((record) => record.toObject() as T);
}

/** Someone new, by the administrator's word. */
async function person(name = "Somebody"): Promise<number> {
  number += 1;
  expect((await world.ask("admin", "PUT", `/api/social/people/${number}`, { name })).status).toBe(204);
  return number;
}

async function befriend(one: number, other: number): Promise<void> {
  expect((await world.ask(one, "PUT", `/api/social/people/${one}/friends/${other}`)).status).toBe(204);
}

/** Each calls the other a friend. */
async function befriendEachOther(one: number, other: number): Promise<void> {
  await befriend(one, other);
  await befriend(other, one);
}

async function ids(userId: number, what: string): Promise<number[]> {
  const { status, body } = await world.ask<Person[]>(userId, "GET", `/api/social/people/${userId}/${what}`);
  expect(status).toBe(200);
  return body.map(({ id }) => id);
}

async function recommended(userId: number): Promise<Recommendation[]> {
  return (await world.ask<Recommendation[]>(userId, "GET", `/api/social/people/${userId}/recommendations`))
    .body;
}

function orderOf(userId: number, ...skus: string[]): DataOf<"order.placed.v1"> {
  return {
    orderId: randomUUID(),
    userId,
    lines: skus.map((sku) => ({ sku, name: `The ${sku}`, quantity: 1, priceCents: 100 })),
    totalCents: 100,
    placedAt: new Date().toISOString(),
    chain: "async",
  };
}

type Order = DataOf<"order.placed.v1">;

async function place(order: Order): Promise<void> {
  await world.events.publish("order.placed.v1", order);
}

async function pay({ orderId, userId }: Order, synchronous?: Pick<Order, "chain" | "lines">): Promise<void> {
  await world.events.publish("payment.captured.v1", {
    orderId,
    userId,
    amountCents: 100,
    chargeId: "c",
    chain: "async",
    ...synchronous,
  });
}

/** All events of a person up to here have been handled. */
async function settled(userId: number): Promise<void> {
  const name = randomUUID();
  await world.events.publish("user.changed.v1", { userId, name, email: "some@example.org" });
  await until("the last event", async () =>
    (await query<{ name: string }>(`MATCH (p:Person {id: ${userId}}) RETURN p.name AS name`)).some(
      (found) => found.name === name,
    ),
  );
}

test("people from before keep their friends when a user of their name is heard of", async () => {
  await world.events.publish("user.registered.v1", { userId: 101, name: "Riya", email: "riya@example.org" });
  await world.events.publish("user.registered.v1", {
    userId: 102,
    name: "Sneha",
    email: "sneha@example.org",
  });
  await until(
    "both",
    async () => (await query("MATCH (p:Person) WHERE p.id IN [101, 102] RETURN p")).length === 2,
  );
  expect(await query('MATCH (a:Person {name:"Riya"})-[:FRIEND]->(b) RETURN b.name')).toEqual([
    { "b.name": "Sneha" },
  ]);
  expect(await ids(101, "friends")).toEqual([102]);
  // Another of that name is another person.
  await world.events.publish("user.registered.v1", { userId: 103, name: "Riya", email: "other@example.org" });
  await until("the other", async () => (await query("MATCH (p:Person {id: 103}) RETURN p")).length === 1);
  expect(await ids(103, "friends")).toEqual([]);
});

describe("friends", () => {
  test("friends, theirs, and the shortest path", async () => {
    const [ada, ben, cleo, dan] = [
      await person("Ada"),
      await person("Ben"),
      await person("Cleo"),
      await person("Dan"),
    ];
    await befriendEachOther(ada, ben);
    await befriendEachOther(ada, ben);
    await befriendEachOther(ben, cleo);
    await befriendEachOther(cleo, dan);
    expect((await world.ask(ada, "GET", `/api/social/people/${ada}/friends`)).body).toEqual([
      { id: ben, name: "Ben" },
    ]);
    expect(await ids(ada, "friends-of-friends")).toEqual([cleo]);
    const path = (await world.ask<Person[]>(dan, "GET", `/api/social/path?from=${dan}&to=${ada}`)).body;
    expect(path.map(({ name }) => name)).toEqual(["Dan", "Cleo", "Ben", "Ada"]);
    expect((await world.ask(ada, "GET", `/api/social/path?from=${ada}&to=${ada}`)).body).toEqual([
      { id: ada, name: "Ada" },
    ]);
    expect((await world.ask(ada, "DELETE", `/api/social/people/${ada}/friends/${ben}`)).status).toBe(204);
    expect(await ids(ada, "friends")).toEqual([]);
    expect(await ids(ben, "friends")).toEqual([ada, cleo]);
  });

  test("whoever is nobody's friend but says so learns nothing", async () => {
    const [eve, ada, ben] = [await person("Eve"), await person("Ada"), await person("Ben")];
    await befriendEachOther(ada, ben);
    await befriend(eve, ada);
    const order = orderOf(ada, `secret-${ada}`);
    await place(order);
    await pay(order);
    await settled(ada);
    const ask = (what: string) => world.ask(eve, "GET", `/api/social/${what}`);
    expect((await ask(`people/${eve}/friends`)).body).toEqual([{ id: ada, name: "" }]);
    expect((await ask(`people/${eve}/friends-of-friends`)).body).toEqual([]);
    expect((await ask(`people/${eve}/recommendations`)).body).toEqual([]);
    expect((await ask(`path?from=${eve}&to=${ada}`)).status).toBe(404);
    expect((await ask(`path?from=${eve}&to=${ben}`)).status).toBe(404);
    // Nor does the other learn of them, who never called them a friend.
    expect(await ids(ada, "friends-of-friends")).toEqual([]);
    await befriend(ada, eve);
    expect(await ids(eve, "friends-of-friends")).toEqual([ben]);
    expect((await recommended(eve)).map(({ sku }) => sku)).toEqual([`secret-${ada}`]);
  });

  test("page by page", async () => {
    const ada = await person();
    const others = [];
    for (let index = 0; index < 5; index++) {
      const other = await person();
      await befriend(ada, other);
      others.push(other);
    }
    expect(await ids(ada, "friends?limit=2")).toEqual(others.slice(0, 2));
    expect(await ids(ada, `friends?limit=2&after=${others[1]}`)).toEqual(others.slice(2, 4));
    expect((await world.ask(ada, "GET", `/api/social/people/${ada}/friends?limit=501`)).status).toBe(400);
  });

  test("nobody is their own, nor a stranger's", async () => {
    const ada = await person();
    expect((await world.ask(ada, "PUT", `/api/social/people/${ada}/friends/${ada}`)).status).toBe(400);
    expect((await world.ask(ada, "PUT", `/api/social/people/${ada}/friends/999`)).status).toBe(404);
    expect((await world.ask(998, "GET", "/api/social/people/998/friends")).status).toBe(404);
    expect((await world.ask(ada, "GET", `/api/social/path?from=${ada}&to=999`)).status).toBe(404);
  });

  test("are for the person and administrators", async () => {
    const [ada, ben, eve] = [await person(), await person(), await person()];
    await befriend(ada, ben);
    const routes: Array<[string, string]> = [
      ["PUT", `people/${ada}/friends/${eve}`],
      ["DELETE", `people/${ada}/friends/${ben}`],
      ["GET", `people/${ada}/friends`],
      ["GET", `people/${ada}/friends-of-friends`],
      ["GET", `people/${ada}/recommendations`],
      ["GET", `path?from=${ada}&to=${ben}`],
      // Whether somebody exists can't be told from the answer.
      ["GET", "people/997/friends"],
    ];
    for (const [method, path] of routes) {
      for (const [who, status] of [
        [eve, 403],
        ["nobody", 401],
      ] satisfies Array<[Who, number]>) {
        expect((await world.ask(who, method, `/api/social/${path}`)).status, `${method} ${path}`).toBe(
          status,
        );
      }
    }
    expect((await world.ask(ada, "PUT", `/api/social/people/${ada}`, { name: "x" })).status).toBe(403);
    expect(await ids(ada, "friends")).toEqual([ben]);
    expect((await world.ask("admin", "GET", `/api/social/people/${ada}/friends`)).status).toBe(200);
  });

  test.each(['"}) DETACH DELETE (n', "') RETURN 1 //", "$id", "`x`", "\\u0027"])(
    "%s is a name like any other",
    async (name) => {
      const [ada, ben] = [await person(), await person(name)];
      await befriendEachOther(ada, ben);
      expect((await world.ask(ada, "GET", `/api/social/people/${ada}/friends`)).body).toEqual([
        { id: ben, name },
      ]);
      expect(
        (await world.ask("admin", "GET", `/api/social/people/${encodeURIComponent(name)}/friends`)).status,
      ).toBe(400);
    },
  );
});

describe("bought by friends", () => {
  test("what friends have paid for and oneself has not, most friends first", async () => {
    const [ada, ben, cleo] = [await person(), await person(), await person()];
    await befriendEachOther(ada, ben);
    await befriendEachOther(ada, cleo);
    const [tea, book, lamp] = [`tea-${ada}`, `book-${ada}`, `lamp-${ada}`];
    for (const order of [orderOf(ben, book, tea), orderOf(cleo, tea, lamp), orderOf(ada, lamp)]) {
      await place(order);
      await pay(order);
      await pay(order);
      await place(order);
    }
    await place(orderOf(ben, `unpaid-${ada}`));
    for (const each of [ada, ben, cleo]) {
      await settled(each);
    }
    expect(await recommended(ada)).toEqual([
      { sku: tea, name: `The ${tea}`, friends: 2 },
      { sku: book, name: `The ${book}`, friends: 1 },
    ]);
    expect(await recommended(ben)).toEqual([{ sku: lamp, name: `The ${lamp}`, friends: 1 }]);
  });

  test("what was given back, declined or called off is not", async () => {
    const [ada, ben] = [await person(), await person()];
    await befriendEachOther(ada, ben);
    const [kept, refunded, declined, voided] = ["kept", "refunded", "declined", "voided"].map((name) =>
      orderOf(ben, `${name}-${ada}`),
    ) as [Order, Order, Order, Order];
    for (const order of [kept, refunded, declined, voided]) {
      await place(order);
    }
    await pay(kept);
    await pay(refunded);
    const because = { userId: ben, amountCents: 100, reason: "because" };
    await world.events.publish("payment.refunded.v1", {
      ...because,
      orderId: refunded.orderId,
      refundId: "r",
    });
    await world.events.publish("payment.declined.v1", { ...because, orderId: declined.orderId });
    await world.events.publish("payment.voided.v1", { userId: ben, orderId: voided.orderId });
    await settled(ben);
    expect((await recommended(ada)).map(({ sku }) => sku)).toEqual([`kept-${ada}`]);
    expect(await query(`MATCH (:Person {id: ${ben}})-[o:ORDERED]->() RETURN o`)).toEqual([]);
  });

  test("what is paid before its order is heard of is not lost", async () => {
    const [ada, ben] = [await person(), await person()];
    await befriendEachOther(ada, ben);
    const order = orderOf(ben, `quick-${ada}`);
    await pay(order, { chain: "sync", lines: order.lines });
    await place({ ...order, chain: "sync" });
    await settled(ben);
    expect((await recommended(ada)).map(({ sku }) => sku)).toEqual([`quick-${ada}`]);
    expect(await query(`MATCH (:Person {id: ${ben}})-[o:ORDERED]->() RETURN o`)).toEqual([]);
  });

  test("an order that is heard of before its customer is not lost", async () => {
    const ada = await person();
    const ben = ++number;
    const order = orderOf(ben, `early-${ada}`);
    await place(order);
    await pay(order);
    await settled(ben);
    await befriendEachOther(ada, ben);
    expect((await recommended(ada)).map(({ sku }) => sku)).toEqual([`early-${ada}`]);
  });
});

test("an erased person is gone, that is answered, and nothing brings them back", async () => {
  const [ada, ben, erasureId] = [await person(), await person(), randomUUID()];
  await befriend(ada, ben);
  await befriend(ben, ada);
  const order = orderOf(ada, "tea-1");
  await place(order);
  await pay(order);
  await world.events.publish("user.erased.v1", { userId: ada, erasureId });
  await place(orderOf(ada, "tea-1"));
  await world.events.publish("user.changed.v1", { userId: ada, name: "Ada", email: "ada@example.org" });
  await world.events.publish("user.erased.v1", { userId: ada, erasureId: randomUUID() });
  const answers = () =>
    world.events.events.filter(({ type, data }) => type === "user.data-erased.v1" && data.userId === ada);
  await until("both answers", () => answers().length > 1);
  expect(answers()).toMatchObject([
    { data: { erasureId, service: "social", records: 4 } },
    { data: { service: "social", records: 0 } },
  ]);
  expect(await ids(ben, "friends")).toEqual([]);
  expect(await query(`MATCH (p:Person {id: ${ada}}) RETURN p`)).toEqual([]);
  expect((await world.ask("admin", "PUT", `/api/social/people/${ada}`, { name: "Ada" })).status).toBe(409);
});

test("who is put there while they are erased is not there in the end", async () => {
  for (let round = 0; round < 10; round++) {
    const userId = ++number;
    let status = 204;
    const writers = Array.from({ length: 8 }, async () => {
      while (status === 204) {
        status = (await world.ask("admin", "PUT", `/api/social/people/${userId}`, { name: "Ada" })).status;
      }
    });
    await world.events.publish("user.erased.v1", { userId, erasureId: randomUUID() });
    await Promise.all(writers);
    expect(status).toBe(409);
    const answered = () =>
      world.events.events.some(({ type, data }) => type === "user.data-erased.v1" && data.userId === userId);
    await until("the answer", answered);
    expect(await query(`MATCH (p:Person {id: ${userId}}) RETURN p`)).toEqual([]);
  }
});

test("no input makes it fail, and it answers as its document says", async () => {
  await person();
  const { violations, statuses } = await world.fuzz({ runs: 150, backendUp: true });
  expect(violations).toEqual([]);
  expect(statuses[204]).toBeGreaterThan(10);
});

test("a question that takes too long is given up, by the server as well", async () => {
  const asked = new Graph(server.driver).ask(
    "UNWIND range(1, 1000000) AS one UNWIND range(1, 1000000) AS other RETURN sum(one % (other + 1)) AS endless",
  );
  expect(isNeo4jAway(await asked.catch((error: unknown) => error))).toBe(true);
  await until("the server to have ended it", async () => {
    const running = await query<{ currentQuery: string }>("SHOW TRANSACTIONS YIELD currentQuery");
    return !running.some(({ currentQuery }) => currentQuery.includes("endless"));
  });
});

test("while Neo4j is away it says so, and events wait", async () => {
  await server.kill();
  await until("it to be unready", async () => !(await world.isReady()));
  const { violations, statuses } = await world.fuzz({ runs: 6, backendUp: false });
  expect(violations).toEqual([]);
  expect(statuses[503]).toBeGreaterThan(4);
  const userId = ++number;
  await world.events.publish("user.registered.v1", { userId, name: "Late", email: "late@example.org" });
  await server.start();
  await until(
    "the person",
    async () => (await query(`MATCH (p:Person {id: ${userId}}) RETURN p`)).length === 1,
    60_000,
  );
});

test("while Neo4j is frozen it says so", async () => {
  await server.freeze();
  const { status, headers } = await world.ask("admin", "GET", "/api/social/people/101/friends");
  expect(status).toBe(503);
  expect(headers.get("retry-after")).toBe("1");
  server.thaw();
  await until("it to be ready again", () => world.isReady());
});
