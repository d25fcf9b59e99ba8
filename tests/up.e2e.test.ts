import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import type { Changes } from "../cli/commands/up.ts";
import { type Person, type ShopAnswer, ShopClient } from "../cli/shop-client.ts";
import { type ServiceName, serviceNames } from "../infra/shop/services.ts";
import { tableCommands, testedCommands } from "./support/documents.ts";
import { createThrowawayLab, type ThrowawayLab, text } from "./support/throwaway-lab.ts";

interface UpReport extends StatusReport {
  changes: Changes;
}

let lab: ThrowawayLab;
let first: UpReport;
let shop: ShopClient;
let admin: Person;

beforeAll(async () => {
  lab = await createThrowawayLab("walk");
  first = await lab.json<UpReport>(["up"]);
  const variables = await lab.json<Record<string, string>>(["env"]);
  shop = new ShopClient(first.urls.gateway);
  admin = await shop.login({
    email: variables.SHOP_ADMIN_EMAIL as string,
    password: variables.SHOP_ADMIN_PASSWORD as string,
  });
});

afterAll(async () => {
  await shop?.close();
  await lab?.remove();
});

async function query<T>(store: string, statement: string): Promise<T> {
  return lab.json<T>(["query", store, statement]);
}

/** As somebody who may do everything. */
function send(method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: unknown): Promise<ShopAnswer> {
  return admin.send(method, path, { body });
}

test("brings every job up, healthy", () => {
  const names = first.jobs.filter(({ state }) => state === "healthy").map(({ name }) => name);
  expect(names.toSorted()).toEqual(
    [...serviceNames, ...["mysql", "mongodb", "redis", "cassandra", "neo4j", "nats", "artifacts"]].toSorted(),
  );
  expect(first.jobs.filter(({ state }) => state === "unhealthy")).toEqual([]);
  expect(first.changes.created).toBeGreaterThan(50);
});

test("says which server runs in another's place", () => {
  expect(first.jobs.find(({ name }) => name === "mysql")?.standIn).toBe("MariaDB in MySQL's place");
  expect(["mongod", "ferretdb"]).toContain(first.mongodbServer);
});

test("changes nothing the second time, and says so", async () => {
  const { exitCode, stdout } = await lab.lab(["up"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("Nothing to change");
});

describe("with the example data", () => {
  beforeAll(async () => {
    await lab.json(["seed"]);
    await lab.json(["seed"]);
  });

  test("the notes' queries give the notes' answers", async () => {
    expect(await query("mysql", "SELECT name FROM Students WHERE marks > 90;")).toMatchObject({
      rows: [{ name: "Sneha" }],
    });
    expect(JSON.parse((await query<{ value: string }>("redis", "GET user:101")).value)).toEqual({
      name: "Riya",
      age: 22,
      city: "Pune",
    });
    expect(await query("mongodb", "students.find({hobbies: {$exists: true}}, {_id: 0})")).toEqual({
      value: [{ id: 2, name: "Sneha", hobbies: ["music", "painting"] }],
    });
    expect(await query("mongodb", "students.find({hobbies: {$exists: false}}, {_id: 0})")).toEqual({
      value: [{ id: 1, name: "Riya", class: 10, marks: 89 }],
    });
    const { rows } = await query<{ rows: Array<{ column_name: string; value: string }> }>(
      "cassandra",
      "SELECT * FROM users WHERE id = 1;",
    );
    expect(Object.fromEntries(rows.map(({ column_name, value }) => [column_name, value]))).toEqual({
      name: "Riya",
      age: "22",
      city: "Pune",
    });
    expect(
      await query("neo4j", 'MATCH (a:Person {name:"Riya"})-[:FRIEND]->(b) RETURN b.name;'),
    ).toMatchObject({
      rows: [{ "b.name": "Sneha" }],
    });
  });

  test("loading it twice makes no doubles", async () => {
    expect(await query("mysql", "SELECT COUNT(*) AS n FROM users WHERE role = 'customer'")).toMatchObject({
      rows: [{ n: 43 }],
    });
    expect(await query("mongodb", "products.countDocuments()")).toEqual({ value: 8 });
    expect(
      await query(
        "neo4j",
        "MATCH ()-[f:FRIEND]->() WITH startNode(f) AS a, endNode(f) AS b, count(*) AS n WHERE n > 1 RETURN count(*) AS doubles",
      ),
    ).toMatchObject({ rows: [{ doubles: 0 }] });
  });
});

describe("through the gateway", () => {
  test("users and addresses are joined", async () => {
    await send("PUT", "/api/users/9001", { name: "Ada", email: "ada@example.org" });
    const { body } = await send("PUT", "/api/users/9001/addresses/home", {
      street: "Lake View 9",
      city: "Jaipur",
    });
    expect(body).toMatchObject({ name: "Ada", addresses: [{ label: "home", city: "Jaipur" }] });
    expect((await send("GET", "/api/users?city=Jaipur&after=9000")).body).toMatchObject([{ id: 9001 }]);
    expect(await send("PUT", "/api/users/9002", { name: "Ada", email: "ada@example.org" })).toMatchObject({
      status: 409,
    });
    expect(await send("POST", "/api/users", { name: "", email: "no" })).toMatchObject({ status: 400 });
    expect((await shop.nobody.send("GET", "/api/users/9001")).status).toBe(401);
  });

  test("a table takes a new column for all rows", async () => {
    await send("PUT", "/api/users/students/900", { name: "Ada", class: 9, marks: 70 });
    expect((await send("PUT", "/api/users/students/columns/hobbies", { type: "text" })).body).toMatchObject({
      statement: expect.stringContaining("ALTER TABLE Students"),
    });
    const rows = (await send("GET", "/api/users/students")).body as object[];
    expect(rows.every((row) => "hobbies" in row)).toBe(true);
    expect((await send("DELETE", "/api/users/students/columns/hobbies")).status).toBe(204);
    expect((await send("DELETE", "/api/users/students/columns/marks")).status).toBe(409);
  });

  test("documents have fields of their own, and each can be searched", async () => {
    await send("PUT", "/api/products/kite-1", {
      name: "Kite",
      category: "toys",
      priceCents: 1500,
      tailMeters: 3,
    });
    expect((await send("GET", "/api/products?tailMeters=3")).body).toMatchObject([
      { sku: "kite-1", tailMeters: 3 },
    ]);
    expect((await send("GET", "/api/products?$where=1")).status).toBe(400);
    expect((await send("DELETE", "/api/products/kite-1")).status).toBe(204);
    expect((await send("GET", "/api/products/kite-1")).status).toBe(404);
  });

  test("a cart expires", async () => {
    const { body } = await send("PUT", "/api/cart/me/items/kite-1", { quantity: 2 });
    expect(body).toMatchObject({ items: [{ sku: "kite-1", quantity: 2 }] });
    const { value } = await query<{ value: number }>("redis", `TTL cart:${await admin.id()}`);
    expect(value).toBeGreaterThan(0);
  });

  test("a wide row takes a column that no other has, and events come back in the order of time", async () => {
    const { body } = await send("PUT", "/api/analytics/rows/9001/reactions", { value: 12 });
    expect(body).toEqual({ reactions: 12 });
    for (const [id, at] of [
      ["e1", "2025-10-28T10:00:00Z"],
      ["e2", "2025-10-29T10:00:00Z"],
    ]) {
      await send("PUT", `/api/analytics/users/9001/events/${id}`, { at, type: "viewed" });
    }
    const events = await send("GET", "/api/analytics/users/9001/events?from=2025-10-27&to=2025-10-30");
    expect(events.body).toMatchObject([{ id: "e2" }, { id: "e1" }]);
  });

  test("friends of friends, and the shortest path", async () => {
    for (const [id, name] of Object.entries({ 9001: "Ada", 9002: "Ben", 9003: "Cleo" })) {
      await send("PUT", `/api/social/people/${id}`, { name });
    }
    for (const [one, other] of [
      [9001, 9002],
      [9002, 9003],
    ]) {
      await send("PUT", `/api/social/people/${one}/friends/${other}`);
      await send("PUT", `/api/social/people/${other}/friends/${one}`);
    }
    const [ada, ben, cleo] = [
      { id: 9001, name: "Ada" },
      { id: 9002, name: "Ben" },
      { id: 9003, name: "Cleo" },
    ];
    expect((await send("GET", "/api/social/people/9001/friends")).body).toEqual([ben]);
    expect((await send("GET", "/api/social/people/9001/friends-of-friends")).body).toEqual([cleo]);
    expect((await send("GET", "/api/social/path?from=9003&to=9001")).body).toEqual([cleo, ben, ada]);
    expect((await send("GET", "/api/social/people/9999/friends")).status).toBe(404);
  });

  test("a path that is nobody's is a problem document", async () => {
    expect(await send("GET", "/api/nothing")).toMatchObject({ status: 404, body: { title: "Not Found" } });
  });

  test("each service describes itself", async () => {
    for (const { name, addresses } of first.jobs.filter(({ name }) =>
      serviceNames.includes(name as ServiceName),
    )) {
      const origin = `http://${addresses[0]}`;
      expect((await (await fetch(`${origin}/openapi.json`)).json()) as object).toMatchObject({
        openapi: "3.1.0",
        info: { title: name },
      });
      expect(await (await fetch(`${origin}/metrics`)).text()).toContain("http_requests_total");
    }
  });
});

describe("in a shell with `lab env`", () => {
  async function shell(command: string) {
    const { stdout: exports } = await lab.lab(["env"]);
    return execa("sh", ["-c", `${exports}\n${command}`], {
      cwd: lab.root,
      all: true,
      reject: false,
      stdin: "ignore",
    });
  }

  test("pulumi, nomad and consul work as their manuals say", async () => {
    const preview = await shell(`pulumi preview --stack ${lab.stack} --non-interactive --diff=false`);
    expect(preview.all).toMatch(/\d+ unchanged/);
    expect(preview.exitCode).toBe(0);
    expect((await shell("nomad job status mysql")).stdout).toContain("running");
    expect((await shell("consul members")).stdout).toContain(`lab-${lab.stack}`);
  });

  test("pulumi refresh finds nothing that has drifted", async () => {
    const refresh = await shell(`pulumi refresh --yes --skip-preview --non-interactive --stack ${lab.stack}`);
    expect(refresh.exitCode, refresh.all).toBe(0);
    expect(refresh.all).not.toMatch(/\d+ (updated|deleted)/);
  });
});

test("no secret is in plain text in the state, the logs, the job specifications or the process list", async () => {
  const variables = await lab.json<Record<string, string>>(["env"]);
  const secrets = Object.entries(variables)
    .filter(([name]) => /(PASSWORD|TOKEN|KEY)$/.test(name))
    .map(([, value]) => value);
  expect(secrets.length).toBeGreaterThan(5);
  const jobs = await Promise.all(
    first.jobs.map(async ({ name }) =>
      (
        await fetch(`${first.urls.nomad}/v1/job/${name}`, {
          headers: { "x-nomad-token": variables.NOMAD_TOKEN as string },
        })
      ).text(),
    ),
  );
  const places: Record<string, string> = {
    state: await text(join(lab.home, "state/.pulumi/stacks/polyglot-lab", `${lab.stack}.json`)),
    "logs of the agents and Pulumi": (
      await execa("sh", ["-c", 'cat "$0"/*.log', join(lab.home, lab.stack, "logs")])
    ).stdout,
    "logs of the tasks": (
      await execa("sh", ["-c", 'cat "$0"/alloc/*/alloc/logs/*', join(lab.home, lab.stack, "nomad")])
    ).stdout,
    "process list": (await execa("ps", ["-eww", "-o", "args"])).stdout,
    "job specifications": jobs.join("\n"),
    "key-value store": await (
      await fetch(`${first.urls.consul}/v1/kv/?recurse`, {
        headers: { "x-consul-token": variables.CONSUL_HTTP_TOKEN as string },
      })
    ).text(),
  };
  for (const [place, content] of Object.entries(places)) {
    expect(content.length, place).toBeGreaterThan(0);
    for (const secret of secrets) {
      expect(content.includes(secret), place).toBe(false);
    }
  }
});

test("the checkout is as it was", async () => {
  const { stdout } = await execa("git", ["status", "--porcelain"], { cwd: lab.root });
  expect(stdout).toBe("");
});

test("an edit of one service rolls that service and no other, and no request fails meanwhile", async () => {
  const file = join(lab.root, "services/cart/src/service.ts");
  const before = await instances();
  // All of these requests are of one person.
  const policies = { rateLimit: { identity: { limit: 1_000_000 } } };
  await lab.json(["gateway", "policies", "set", "-"], { input: JSON.stringify(policies) });
  const callers = new AbortController();
  const answers = Promise.all(Array.from({ length: 4 }, () => statuses("/api/cart/me", callers.signal)));
  await writeFile(file, (await text(file)).replace("Carts that expire", "Carts that still expire"));
  await lab.json(["up"]);
  callers.abort();
  const counts = (await answers).flat();
  expect(counts.length).toBeGreaterThan(100);
  expect(counts.filter((status) => status !== 200)).toEqual([]);
  const after = await instances();
  const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
  expect(changed).toEqual(["cart"]);
  await lab.json(["gateway", "policies", "unset"]);

  /** Asks again and again, and gives all statuses. */
  async function statuses(path: string, signal: AbortSignal): Promise<number[]> {
    const seen: number[] = [];
    while (!signal.aborted) {
      seen.push((await send("GET", path)).status);
    }
    return seen;
  }

  /** Which allocation each job runs. */
  async function instances(): Promise<Record<string, string>> {
    const variables = await lab.json<Record<string, string>>(["env"]);
    const response = await fetch(`${first.urls.nomad}/v1/allocations`, {
      headers: { "x-nomad-token": variables.NOMAD_TOKEN as string },
    });
    const allocations = (await response.json()) as Array<{
      ID: string;
      JobID: string;
      ClientStatus: string;
      JobType: string;
    }>;
    return Object.fromEntries(
      allocations
        .filter(({ ClientStatus, JobType }) => ClientStatus === "running" && JobType === "service")
        .map(({ JobID, ID }) => [JobID, ID]),
    );
  }
});

test.each(["README.md", "docs/storage-models.md", "docs/concepts.md"])(
  "what %s says to type does what it says",
  async (document) => {
    const { stdout: exports } = await lab.lab(["env"]);
    const markdown = await text(join(lab.root, document));
    const commands = [
      ...testedCommands(markdown),
      ...[...new Set(tableCommands(markdown))].map((command) => ({ command, prints: "" })),
    ];
    expect(commands.length).toBeGreaterThan(5);
    for (const { command, prints } of commands) {
      const { exitCode, stdout, stderr } = await execa("sh", ["-c", `${exports}\n${command}`], {
        cwd: lab.root,
        env: lab.environment,
        reject: false,
        stdin: "ignore",
      });
      expect(exitCode, `${command}\n${stderr}`).toBe(0);
      expect(stdout, command).toContain(prints);
    }
  },
);

test("down stops everything, and up brings back every write", async () => {
  await send("PUT", "/api/social/people/9004", { name: "Kept" });
  expect(await lab.json(["down"])).toEqual({ stopped: expect.arrayContaining(["nomad", "consul"]) });
  const left = await execa("ps", ["-eww", "-o", "pid,args"]);
  expect(left.stdout).not.toContain(join(lab.home, lab.stack));
  expect((await lab.lab(["status"])).exitCode).toBe(3);
  await lab.json(["up"]);
  expect((await send("GET", "/api/social/people/9004/friends")).body).toEqual([]);
  expect((await send("GET", "/api/users/9001")).body).toMatchObject({ name: "Ada" });
  expect((await send("GET", "/api/analytics/rows/9001")).body).toEqual({ reactions: 12 });
});
