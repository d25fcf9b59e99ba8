import type { ResultPromise } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ShopJourney } from "../cli/demo/shop/journey.ts";
import type { Survival } from "../cli/demo/stateless/stateless.ts";
import type { StorageReport } from "../cli/demo/storage/storage.ts";
import { loggedPath } from "../packages/service-kit/src/logged-path.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";

let lab: ThrowawayLab;

beforeAll(async () => {
  lab = await createThrowawayLab("demos");
  await lab.json(["up"]);
});

afterAll(() => lab?.remove());

async function query(store: string, statement: string): Promise<unknown> {
  return lab.json(["query", store, statement]);
}

describe("lab demo storage", () => {
  /** What a demonstration makes, and nothing else is named like. */
  async function expectNothingLeft(): Promise<void> {
    expect(await query("mysql", "SHOW DATABASES LIKE 'demo'")).toMatchObject({ rows: [] });
    expect(await query("mongodb", "{listDatabases: 1, nameOnly: true}")).not.toMatchObject({
      value: { databases: expect.arrayContaining([expect.objectContaining({ name: "demo" })]) },
    });
    const keyspaces = "SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'demo'";
    expect(await query("cassandra", keyspaces)).toMatchObject({ rows: [] });
    expect(await query("redis", "KEYS demo:*")).toEqual({ value: [] });
    const nodes = "MATCH (node:DemoPerson|DemoProduct) RETURN count(node) AS nodes";
    expect(await query("neo4j", nodes)).toMatchObject({ rows: [{ nodes: 0 }] });
    const constraints = "SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH 'demo_' RETURN name";
    expect(await query("neo4j", constraints)).toMatchObject({ rows: [] });
  }

  test("gets the same answer from all stores, and measures each", async () => {
    const { questions, servers } = await lab.json<StorageReport>(["demo", "storage"]);
    expect(servers.mysql.name).toBe("MariaDB");
    expect(questions.length).toBeGreaterThanOrEqual(10);
    for (const { text, results, lesson } of questions) {
      const answered = results.filter(({ refused }) => refused === undefined);
      expect(answered.length, text).toBeGreaterThan(1);
      for (const { answer, medianMs, runs } of answered) {
        expect(answer, text).toEqual(answered[0]?.answer);
        expect(medianMs, text).toBeGreaterThan(0);
        expect(runs, text).toBeGreaterThanOrEqual(7);
      }
      expect(lesson, text).not.toMatch(/undefined|NaN/);
    }
    await expectNothingLeft();
  });

  test("shows what a store refuses, and the plans that the servers give", async () => {
    const { stdout } = await lab.lab(["demo", "storage", "--markdown"]);
    expect(stdout).toContain("use ALLOW FILTERING");
    expect(stdout).toMatch(/people: ref by_city, \d+ rows/);
    expect(stdout).toMatch(/ShortestPath .* accesses/);
    expect(stdout).toMatch(/Read \d+ live rows/);
  });

  test("removes what it made when it is interrupted", async () => {
    const run = lab.start(["demo", "storage"]) as ResultPromise<{ reject: false }>;
    for await (const line of run.iterable({ from: "stderr" })) {
      if (line.includes("loaded into Neo4j")) {
        process.kill(-(run.pid as number), "SIGINT");
      }
    }
    expect((await run).exitCode).toBe(130);
    await expectNothingLeft();
  });

  test("begins anew after one that was killed", async () => {
    const run = lab.start(["demo", "storage"]) as ResultPromise<{ reject: false }>;
    for await (const line of run.iterable({ from: "stderr" })) {
      if (line.includes("loaded into Neo4j")) {
        process.kill(-(run.pid as number), "SIGKILL");
      }
    }
    await run;
    expect(await query("redis", "EXISTS demo:person:1")).toEqual({ value: 1 });
    await lab.json(["demo", "storage"]);
    await expectNothingLeft();
  });
});

describe("lab demo stateless", () => {
  async function expectNoneRuns(): Promise<void> {
    const { stdout } = await lab.lab(["status"]);
    expect(stdout).toMatch(/^Stopped until something starts them: .*cart-stateful/m);
  }

  test("a cart in memory dies with its process, a cart in Redis doesn't", async () => {
    const survivals = await lab.json<Survival[]>(["demo", "stateless"]);
    const cart = [{ sku: "jacket-1", quantity: 2 }];
    expect(survivals).toMatchObject([
      { job: "cart-stateful", before: cart, after: [] },
      { job: "cart", before: cart, after: cart },
    ]);
    await expectNoneRuns();
    expect(await query("redis", "KEYS *anon-*")).toEqual({ value: [] });
  });

  test("the stateful variant ends when it is interrupted", async () => {
    const run = lab.start(["demo", "stateless"]) as ResultPromise<{ reject: false }>;
    for await (const line of run.iterable({ from: "stderr" })) {
      if (line.includes("kill -9 of the instance of cart-stateful")) {
        process.kill(-(run.pid as number), "SIGINT");
      }
    }
    expect((await run).exitCode).toBe(130);
    await expectNoneRuns();
  });
});

describe("lab demo shop", () => {
  beforeAll(() => lab.json(["seed"]));

  /** The people of a journey have addresses of their own kind. */
  async function expectNobodyLeft(): Promise<void> {
    const accounts = "SELECT id FROM user.users WHERE email REGEXP '^(visitor|friend)-[0-9a-f]{8}@'";
    expect(await query("mysql", accounts)).toMatchObject({ rows: [] });
    const people = 'MATCH (person:Person) WHERE person.name =~ "(Visitor|Friend) .*" RETURN person.name';
    expect(await query("neo4j", people)).toMatchObject({ rows: [] });
    expect(await query("redis", "KEYS *anon-*")).toEqual({ value: [] });
  }

  test("follows a person from the registration to the mail, by the trace of each step", async () => {
    const { steps, mail, erasure } = await lab.json<ShopJourney>(["demo", "shop"]);
    expect(steps.map(({ request }) => request.replace(/\/(anon-[^/]+|[0-9a-f-]{36}|\d+)/g, "/…"))).toEqual([
      "POST /api/users",
      expect.stringMatching(/^GET \/api\/products\/./),
      expect.stringMatching(/^PUT \/api\/cart\/…\/items\/./),
      "POST /api/users/login",
      "POST /api/cart/merge",
      "POST /api/orders",
      "GET /api/payments/…",
      "GET /api/analytics/users/…/events",
      "PUT /api/social/people/…/friends/…",
      "GET /api/social/people/…/recommendations",
      "DELETE /api/users/…",
    ]);
    for (const { title, request, status, visits } of steps) {
      // As the log has it: without what would open the cart.
      const what = `${loggedPath(request)} → ${status}`;
      expect(visits[0], title).toMatchObject({ service: "gateway", what });
    }
    const order = steps.find(({ request }) => request === "POST /api/orders");
    const touched = Map.groupBy(order?.visits ?? [], ({ service }) => service);
    const stores = (service: string) => touched.get(service)?.flatMap(({ stores }) => Object.keys(stores));
    expect(stores("order")).toContain("mysql");
    expect(stores("payment")).toEqual(expect.arrayContaining(["mysql", "http:payment-provider"]));
    expect(stores("product")).toContain("mongodb");
    expect(stores("notification")).toContain("smtp");
    expect(stores("analytics")).toContain("cassandra");
    expect(stores("social")).toContain("neo4j");
    expect(mail.to).toEqual([expect.stringMatching(/^visitor-/)]);
    expect(mail.subject).toContain("paid");
    expect(erasure.complete).toBe(true);
    expect(erasure.services.map(({ service }) => service)).toEqual(
      expect.arrayContaining([
        "user",
        "product",
        "cart",
        "order",
        "payment",
        "notification",
        "analytics",
        "social",
      ]),
    );
    await expectNobodyLeft();
  });

  test("erases its people when it is interrupted", async () => {
    const run = lab.start(["demo", "shop"]) as ResultPromise<{ reject: false }>;
    for await (const line of run.iterable()) {
      if (line.startsWith("Takes the cart along")) {
        process.kill(-(run.pid as number), "SIGINT");
      }
    }
    expect((await run).exitCode).toBe(130);
    await expectNobodyLeft();
  });
});
