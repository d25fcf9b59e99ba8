import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats, type NodeConnectionOptions } from "@nats-io/transport-node";
import { auth, Client as CassandraClient } from "cassandra-driver";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { createConnection } from "mysql2/promise";
import neo4j from "neo4j-driver";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { portSpan } from "../infra/ports.ts";
import { archiveOf } from "../providers/host/src/bundle.ts";
import { commandOf, identify, parentOf } from "../providers/host/src/identity.ts";
import { freePorts, holdersOf, processes } from "../providers/host/src/ports.ts";
import { removeFolder, stopSupervised } from "../providers/host/src/stop.ts";
import { locateTools, type Tools } from "../toolchain/tools.ts";

const jobs = import.meta.dirname;
const run = promisify(execFile);

/** What a job is given here, and how a client of its server reads and writes one value. */
interface Case {
  job: string;
  variables: Record<string, string | number>;
  secrets: Record<string, string>;
  /** The port on which clients connect. */
  port: number;
  /** A right password, and the account's use with it: sets the value where one is given, and gives the one that is there. */
  password: string;
  visit(password: string, value?: string): Promise<string | null | undefined>;
}

let tools: Tools;
let folder: string;
let base: number;
let nomad: string;
let consul: string;
let cases: Record<string, Case>;
const agents: { pid: number; exited: Promise<unknown> }[] = [];

const names = ["nats", "mysql", "redis", "mongodb", "cassandra", "neo4j"];

beforeAll(async () => {
  tools = await locateTools();
  // A space in every path.
  folder = await mkdtemp(join(tmpdir(), "lab jobs "));
  base = await freePorts(portSpan);
  consul = `http://127.0.0.1:${base}`;
  nomad = `http://127.0.0.1:${base + 10}`;
  await startAgents();
  const store = await deploy("artifacts", {
    node: tools.node,
    script: join(jobs, "artifacts/server.mjs"),
    releases: join(folder, "releases"),
    port: base + 40,
  });
  await store.healthy();
  cases = Object.fromEntries((await allCases()).map((it) => [it.job, it]));
});

afterAll(async () => {
  try {
    for (const job of await json<{ ID: string }[]>(`${nomad}/v1/jobs`)) {
      await purge(job.ID);
    }
  } finally {
    for (const { pid, exited } of agents.reverse()) {
      process.kill(pid, "SIGTERM");
      await exited;
    }
    await stopSupervised(folder, tools.nomad, 5000);
    await removeFolder(folder);
  }
});

describe.each(names)("job %s", (name) => {
  let it: Case;
  let deployed: Deployed;

  test("becomes healthy, with its data in data_dir", async () => {
    it = cases[name] as Case;
    await putSecrets(`nomad/jobs/${name}`, it.secrets);
    deployed = await deploy(name, it.variables);
    await deployed.healthy();
    expect(await readdir(String(it.variables.data_dir))).not.toEqual([]);
  });

  test("lets in the right password only", async () => {
    expect(await it.visit(it.password, "kept")).toBe("kept");
    if (name !== "mongodb") {
      await expect(it.visit("wrong-password")).rejects.toThrow();
      await expect(it.visit("")).rejects.toThrow();
    }
  });

  test("comes back with its data when the server is killed", async () => {
    const server = holderOf(it.port);
    process.kill(server, "SIGKILL");
    await deployed.replaced(server, it.port);
    expect(await it.visit(it.password)).toBe("kept");
  });

  test("comes back when the executor is killed: the orphan dies and frees its port", async () => {
    const server = holderOf(it.port);
    const executor = parentOf(server) as number;
    expect(commandOf(executor)).toContain("executor");
    process.kill(executor, "SIGKILL");
    await until("the orphan to die", () => identify(server) === undefined, 2_000);
    await deployed.replaced(server, it.port);
    expect(await it.visit(it.password)).toBe("kept");
  });

  test("shows its secrets in no process list, job specification or log", async () => {
    const secrets = Object.values(it.secrets);
    const places = {
      processes: processes().map(commandOf).join("\n"),
      job: await (await fetch(`${nomad}/v1/job/${name}`)).text(),
      logs: (await run("grep", ["-r", "-h", "", ...(await logFolders())], { maxBuffer: 1 << 28 })).stdout,
    };
    for (const [place, text] of Object.entries(places)) {
      expect(
        secrets.filter((secret) => text.includes(secret)),
        place,
      ).toEqual([]);
    }
  });
});

test("a server that no longer answers is restarted", async () => {
  const { job, port } = cases.redis as Case;
  const server = holderOf(port);
  // Nomad waits for the check's grace since the last start, three failures and the limit for a polite stop.
  process.kill(server, "SIGSTOP");
  await until(`another ${job}`, async () => holderOf(port) !== server);
});

test("a service may do with Redis what it is there for, and nothing with another's keys", async () => {
  const { port, secrets } = cases.redis as Case;
  const clients = ["cart", "gateway", "user"].map(
    (username) =>
      // A command that is refused is not sent again.
      new Redis({ host: "127.0.0.1", port, username, password: secrets[`${username}_password`] }),
  );
  const [cart, gateway, user] = clients as [Redis, Redis, Redis];
  try {
    const id = await user.xadd("revocations", "MINID", "~", 0, "*", "sid", "one", "exp", 1);
    expect(await gateway.xrange("revocations", "-", "+")).toEqual([[id, ["sid", "one", "exp", "1"]]]);
    const next = gateway.xread("BLOCK", 0, "STREAMS", "revocations", id as string);
    const other = await user.xadd("revocations", "*", "sub", "101", "iat", 1);
    expect(await next).toEqual([["revocations", [[other, ["sub", "101", "iat", "1"]]]]]);

    const count =
      "redis.call('INCRBY', KEYS[1], 1) redis.call('PEXPIRE', KEYS[1], 60000) return redis.call('GET', KEYS[1])";
    expect(await gateway.eval(count, 1, "gateway:rate:a")).toBe("1");
    expect(await gateway.multi().get("gateway:rate:a").pttl("gateway:rate:a").exec()).toEqual([
      [null, "1"],
      [null, expect.any(Number)],
    ]);

    for (const refused of [
      () => gateway.xadd("revocations", "*", "sid", "two", "exp", "1"),
      () => gateway.del("revocations"),
      () => gateway.get("cart:1"),
      () => gateway.set("cart:1", "taken"),
      () => gateway.eval("return redis.call('GET', 'cart:1')", 1, "gateway:rate:a"),
      () => gateway.scan(0),
      () => gateway.script("FLUSH"),
      () => user.xrange("revocations", "-", "+"),
      () => user.del("revocations"),
      () => user.xadd("gateway:rate:a", "*", "sid", "two"),
      () => user.get("cart:1"),
      () => cart.xrange("revocations", "-", "+"),
      () => cart.get("gateway:rate:a"),
    ]) {
      await expect(refused(), String(refused)).rejects.toThrow(/NOPERM|can't (run|access)/);
    }
  } finally {
    for (const client of clients) {
      client.disconnect();
    }
  }
});

test("a user of NATS may use its own subjects only", async () => {
  const { port, secrets } = cases.nats as Case;
  const login = { port, user: "hearer", pass: secrets.hearer_password };
  const client = await connectNats({ ...login, inboxPrefix: "_INBOX_hearer", reconnect: false });
  try {
    const refused = Promise.withResolvers<string>();
    client.subscribe("told.me", { callback: (error) => refused.resolve(error?.message ?? "") });
    expect(await refused.promise).toContain("told.me");
    const operator = await connectNats({ port, user: "operator", pass: secrets.operator_password });
    const told = operator.subscribe("told.>", { max: 1 });
    const heard = client.subscribe("heard", { max: 1 });
    await Promise.all([operator.flush(), client.flush()]);
    client.publish("heard", "from itself");
    client.publish("told.you", "by it");
    operator.publish("heard", "from another");
    for await (const message of told) {
      expect(message.string()).toBe("by it");
    }
    for await (const message of heard) {
      expect(message.string()).toBe("from another");
    }
    await operator.close();
  } finally {
    await client.close();
  }
});

test("an account that is none any more can't enter, and its data stays", async () => {
  const { variables, port } = cases.mysql as Case;
  const enter = async (user: string) => {
    const password = (cases.mysql as Case).secrets[`${user}_password`];
    const client = await createConnection({ host: "127.0.0.1", port, user, password });
    const [rows] = await client.query("SHOW DATABASES");
    await client.end();
    return (rows as { Database: string }[]).map(({ Database }) => Database);
  };
  expect(await enter("order")).toEqual(["information_schema", "order"]);
  await (await deploy("mysql", { ...variables, accounts: "user" })).healthy();
  await expect(enter("order")).rejects.toThrow("Access denied");
  expect(await enter("root")).toContain("order");
});

test("a kill while the data folder is made leaves nothing half-made", async () => {
  const { variables, secrets } = cases.mysql as Case;
  const data = join(folder, "data/half-made");
  await mkdir(join(data, "db.new.killed/mysql"), { recursive: true });
  await purge("mysql");
  await putSecrets("nomad/jobs/mysql", secrets);
  const deployed = await deploy("mysql", { ...variables, data_dir: data });
  await deployed.healthy();
  expect(await readdir(data)).toEqual(["db"]);
});

test("a service runs from its bundle, with plain and secret settings in its environment", async () => {
  const program = join(folder, "hello.ts");
  await writeFile(
    program,
    `
      import { createServer } from "node:http";
      const { GREETING, PASSWORD, INSTANCE_ID, HOST, PORT } = process.env;
      if (process.argv[2] === "migrate") process.exit(PASSWORD ? 0 : 1);
      createServer((_, response) => response.end(JSON.stringify({ GREETING, PASSWORD, INSTANCE_ID }))).listen(PORT, HOST);
    `,
  );
  const release = await releaseOf(program);
  const variables = {
    name: "hello",
    node: tools.node,
    archive_url: release.url,
    digest: release.digest,
    environment: JSON.stringify({ GREETING: 'say "hi" to ${you}' }),
  };
  await putSecrets("nomad/jobs/hello", { PASSWORD: 'a "b" $c' });
  await putSecrets("nomad/jobs/hello-migrate", { PASSWORD: "x" });
  await deploy("migrate", variables);
  await until("the migration", async () => {
    const [allocation] = await json<{ ClientStatus: string }[]>(`${nomad}/v1/job/hello-migrate/allocations`);
    return allocation?.ClientStatus === "complete";
  });
  const deployed = await deploy("service", { ...variables, count: 2 }, "hello");
  await deployed.healthy(2);
  const instances = await json<{ Service: { Port: number } }[]>(`${consul}/v1/health/service/hello?passing`);
  const answers = await Promise.all(
    instances.map(({ Service }) => json<Record<string, string>>(`http://127.0.0.1:${Service.Port}/`)),
  );
  expect(new Set(answers.map((answer) => answer.INSTANCE_ID)).size).toBe(2);
  expect(answers[0]).toMatchObject({ GREETING: 'say "hi" to ${you}', PASSWORD: 'a "b" $c' });
});

test("instances share a port, and nobody finds it closed while another version takes their place", async () => {
  const port = base + 50;
  const program = join(folder, "door.ts");
  await writeFile(
    program,
    `
      import { createServer } from "node:http";
      const { HOST: host, PORT, SHARED_PORT } = process.env;
      const listen = (options) => {
        const server = createServer((_, response) => response.end(process.env.VERSION));
        server.on("error", () => setTimeout(() => server.listen(options), 50));
        server.listen(options);
      };
      listen({ host, port: Number(PORT) });
      if (SHARED_PORT) listen({ host, port: Number(SHARED_PORT), reusePort: true });
    `,
  );
  const { url: archive_url, digest } = await releaseOf(program);
  const version = (VERSION: string, more = {}) => ({
    name: "door",
    node: tools.node,
    archive_url,
    digest,
    environment: JSON.stringify({ VERSION, ...more }),
  });
  const shared = { count: 2, shared_port: port, weight: 3 };
  const answer = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();

  // One who had the port for itself gives way, though what comes after it is healthy first.
  await (await deploy("service", { ...version("alone"), port }, "door")).healthy();
  const second = version("second", { SHARED_PORT: String(port) });
  await (await deploy("service", { ...second, ...shared }, "door")).healthy(2);
  await until("both on the port", () => holdersOf([port]).length === 2);
  expect(await answer()).toBe("second");
  const entries = await json<{ Service: { Meta: object } }[]>(`${consul}/v1/health/service/door`);
  expect(entries.map(({ Service }) => Service.Meta)).toEqual([
    { digest, weight: "3", "external-source": "nomad" },
    { digest, weight: "3", "external-source": "nomad" },
  ]);

  const third = await deploy(
    "service",
    { ...version("third", { SHARED_PORT: String(port) }), ...shared },
    "door",
  );
  const rolled = new AbortController();
  const connecting = connectUntil(rolled.signal, port);
  await third.healthy(2);
  await until("the third version alone", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, answer));
    return answers.every((text) => text === "third");
  });
  rolled.abort();
  const { connected, refused } = await connecting;
  expect(connected).toBeGreaterThan(10);
  expect(refused).toBe(0);
});

test("the artifact store serves releases and nothing else", async () => {
  const { url, digest } = await releaseOf(join(jobs, "provision/mongodb.ts"));
  const store = new URL(url).origin;
  const response = await fetch(url);
  expect(
    createHash("sha256")
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest("hex"),
  ).toBe(digest);
  expect(response.headers.get("etag")).toBe(`"${digest}"`);
  expect((await fetch(url, { method: "HEAD" })).headers.get("content-length")).toBe(
    response.headers.get("content-length"),
  );
  expect((await fetch(url, { headers: { "if-none-match": `"${digest}"` } })).status).toBe(304);
  expect((await fetch(url, { method: "PUT", body: "x" })).status).toBe(405);
  for (const path of [
    "/",
    `/${"0".repeat(64)}.tar.gz`,
    "/%2e%2e/%2e%2e/etc/passwd",
    `/..%2f${digest}.tar.gz`,
  ]) {
    expect((await fetch(`${store}${path}`)).status, path).toBe(404);
  }
});

test("every file parses for a real mongod as well", async () => {
  const job = await parse("mongodb", {
    ...(cases.mongodb as Case).variables,
    kind: "mongod",
    node: tools.node,
    provision_url: `http://127.0.0.1:${base + 40}/x.tar.gz`,
    provision_digest: "0".repeat(64),
  });
  const response = await fetch(`${nomad}/v1/validate/job`, {
    method: "POST",
    body: JSON.stringify({ Job: job }),
  });
  expect(await response.json()).toMatchObject({ ValidationErrors: null });
});

/** Connects to a port, again and again. */
async function connectUntil(signal: AbortSignal, port: number) {
  const attempts = { connected: 0, refused: 0 };
  while (!signal.aborted) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      attempts.connected++;
    } catch (error) {
      attempts.refused += Number((error as NodeJS.ErrnoException).code === "ECONNREFUSED");
    }
    socket.destroy();
    await delay(5);
  }
  return attempts;
}

async function allCases(): Promise<Case[]> {
  const at = (offset: number) => base + offset;
  const data = (job: string) => ({ data_dir: join(folder, "data", job), probe: join(jobs, "probe.pl") });
  const secret = (name: string) => `-${createHash("sha256").update(`${folder} ${name}`).digest("base64url")}`;
  const provision = await releaseOf(join(jobs, "provision/cassandra.ts"));
  return [
    {
      job: "nats",
      port: at(20),
      variables: {
        server: tools.nats,
        port: at(20),
        monitor_port: at(21),
        data_dir: join(folder, "data/nats"),
        users: JSON.stringify({ hearer: { publish: ["told.>"], subscribe: ["_INBOX_hearer.>", "heard"] } }),
      },
      secrets: {
        system_password: secret("nats system"),
        operator_password: secret("nats operator"),
        hearer_password: secret("nats hearer"),
      },
      password: secret("nats operator"),
      visit: (pass, value) => visitNats({ port: at(20), user: "operator", pass }, value),
    },
    {
      job: "mysql",
      port: at(30),
      variables: {
        ...data("mysql"),
        server: tools.mysql.server,
        home: tools.mysql.home,
        library_path: tools.mysql.libraryPath,
        port: at(30),
        accounts: "user,order",
      },
      secrets: {
        root_password: secret("mysql root"),
        user_password: secret("mysql user"),
        order_password: secret("mysql order"),
      },
      password: secret("mysql user"),
      async visit(password, value) {
        const client = await createConnection({
          host: "127.0.0.1",
          port: at(30),
          user: "user",
          database: "user",
          password,
        });
        try {
          await expect(client.query("SELECT * FROM mysql.global_priv")).rejects.toThrow();
          await expect(client.query("USE `order`")).rejects.toThrow("Access denied");
          if (value !== undefined) {
            await client.query("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, v TEXT)");
            await client.query("REPLACE INTO t VALUES (1, ?)", [value]);
          }
          const [rows] = await client.query("SELECT v FROM t WHERE id = 1");
          return (rows as { v: string }[])[0]?.v;
        } finally {
          await client.end();
        }
      },
    },
    {
      job: "redis",
      port: at(32),
      variables: {
        ...data("redis"),
        server: tools.redis.server,
        library_path: tools.redis.libraryPath,
        port: at(32),
      },
      secrets: {
        admin_password: secret("redis admin"),
        cart_password: secret("redis cart"),
        gateway_password: secret("redis gateway"),
        user_password: secret("redis user"),
      },
      password: secret("redis cart"),
      async visit(password, value) {
        const client = new Redis({
          host: "127.0.0.1",
          port: at(32),
          username: "cart",
          password,
          lazyConnect: true,
          retryStrategy: null,
        });
        client.on("error", () => undefined);
        try {
          await client.connect();
          await expect(client.get("other:1")).rejects.toThrow("NOPERM");
          await expect(client.flushall()).rejects.toThrow("NOPERM");
          if (value !== undefined) {
            // A script, as the cart service does: Redis keeps it as a transaction, and checks rights when it reads that back.
            const script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('EXPIRE', KEYS[1], 3600)";
            await client.eval(script, 1, "cart:1", value);
            await expect(client.eval("return redis.call('GET', 'other:1')", 0)).rejects.toThrow();
          }
          return await client.get("cart:1");
        } finally {
          client.disconnect();
        }
      },
    },
    {
      job: "mongodb",
      port: at(31),
      variables: { ...data("mongodb"), kind: "ferretdb", binary: tools.mongodb.binary, port: at(31) },
      secrets: {},
      password: "",
      async visit(_password, value) {
        const client = await MongoClient.connect(`mongodb://127.0.0.1:${at(31)}/`);
        try {
          const values = client.db("product").collection<{ _id: number; v: string }>("t");
          if (value !== undefined) {
            await values.replaceOne({ _id: 1 }, { v: value }, { upsert: true });
          }
          return (await values.findOne({ _id: 1 }))?.v;
        } finally {
          await client.close();
        }
      },
    },
    {
      job: "cassandra",
      port: at(33),
      variables: {
        ...data("cassandra"),
        java: tools.java,
        lib: tools.cassandra.lib,
        port: at(33),
        storage_port: at(34),
        ssl_storage_port: at(35),
        node: tools.node,
        provision_url: provision.url,
        provision_digest: provision.digest,
      },
      secrets: {
        admin_password: secret("cassandra admin"),
        analytics_password: secret("cassandra analytics"),
      },
      password: secret("cassandra analytics"),
      async visit(password, value) {
        const cassandra = (user: string, secret: string) =>
          new CassandraClient({
            contactPoints: [`127.0.0.1:${at(33)}`],
            localDataCenter: "datacenter1",
            authProvider: new auth.PlainTextAuthProvider(user, secret),
          });
        const client = cassandra("analytics", password);
        try {
          await expect(cassandra("cassandra", "cassandra").connect()).rejects.toThrow();
          await client.connect();
          await expect(client.execute("CREATE ROLE other")).rejects.toThrow();
          if (value !== undefined) {
            await client.execute("CREATE TABLE IF NOT EXISTS analytics.t (id int PRIMARY KEY, v text)");
            await client.execute("INSERT INTO analytics.t (id, v) VALUES (1, ?)", [value]);
          }
          return (await client.execute("SELECT v FROM analytics.t WHERE id = 1")).first()?.v;
        } finally {
          await client.shutdown();
        }
      },
    },
    {
      job: "neo4j",
      port: at(36),
      variables: {
        ...data("neo4j"),
        java: tools.java,
        lib: tools.neo4j.lib,
        cds_archive: tools.neo4j.cds ?? "",
        port_bolt: at(36),
        port_http: at(37),
      },
      secrets: { neo4j_password: secret("neo4j") },
      password: secret("neo4j"),
      async visit(password, value) {
        const driver = neo4j.driver(`bolt://127.0.0.1:${at(36)}`, neo4j.auth.basic("neo4j", password));
        try {
          if (value !== undefined) {
            await driver.executeQuery("MERGE (t:T {id: 1}) SET t.v = $value", { value });
          }
          const { records } = await driver.executeQuery("MATCH (t:T {id: 1}) RETURN t.v AS v");
          return records[0]?.get("v");
        } finally {
          await driver.close();
        }
      },
    },
  ];
}

/** A stream keeps the value. */
async function visitNats(login: NodeConnectionOptions, value?: string): Promise<string | undefined> {
  const client = await connectNats({ ...login, reconnect: false });
  try {
    const streams = await jetstreamManager(client);
    if (value !== undefined) {
      await streams.streams.add({ name: "T", subjects: ["t"], max_msgs: 1 });
      await jetstream(client).publish("t", value);
    }
    return (await streams.streams.getMessage("T", { last_by_subj: "t" }))?.string();
  } finally {
    await client.close();
  }
}

interface Deployed {
  /** Waits until all instances pass their checks and Nomad calls the deployment successful. */
  healthy(instances?: number): Promise<void>;
  /** Waits until another process than `server` holds the port and its checks pass. */
  replaced(server: number, port: number): Promise<void>;
}

async function deploy(
  file: string,
  variables: Record<string, string | number>,
  name = file,
): Promise<Deployed> {
  const job = await parse(file, variables);
  const { JobModifyIndex } = await json<{ JobModifyIndex: number }>(`${nomad}/v1/jobs`, {
    method: "POST",
    body: JSON.stringify({ Job: job }),
  });
  const passing = async () => (await json<unknown[]>(`${consul}/v1/health/service/${name}?passing`)).length;
  return {
    async healthy(instances = 1) {
      const deployment = await until(`the deployment of ${name}`, async () => {
        const latest = await json<{ Status: string; JobSpecModifyIndex: number } | null>(
          `${nomad}/v1/job/${name}/deployment`,
        );
        // Right after a change the latest may still be that of the version before.
        return latest?.JobSpecModifyIndex === JobModifyIndex && latest.Status !== "running" && latest;
      });
      expect(deployment).toMatchObject({ Status: "successful" });
      await until(`${name} in Consul`, async () => (await passing()) === instances);
    },
    async replaced(server, port) {
      await until(`another ${name}`, async () => {
        return holderOf(port) !== server && (await passing()) === 1;
      });
    },
  };
}

async function parse(file: string, variables: Record<string, string | number>): Promise<unknown> {
  const Variables = Object.entries({ datacenter: "dev", ...variables })
    .map(([key, value]) => `${key} = ${JSON.stringify(String(value)).replaceAll("${", () => "$${")}\n`)
    .join("");
  const JobHCL = await readFile(join(jobs, `${file}.nomad.hcl`), "utf8");
  return json(`${nomad}/v1/jobs/parse`, {
    method: "POST",
    body: JSON.stringify({ JobHCL, Variables, Canonicalize: true }),
  });
}

async function purge(job: string): Promise<void> {
  await json(`${nomad}/v1/job/${job}?purge=true`, { method: "DELETE" });
  await until(`${job} to end`, async () => {
    const allocations = await json<{ ClientStatus: string }[]>(`${nomad}/v1/job/${job}/allocations`);
    return allocations.every(({ ClientStatus }) => ClientStatus !== "running");
  });
}

async function putSecrets(path: string, Items: Record<string, string>): Promise<void> {
  if (Object.keys(Items).length > 0) {
    await json(`${nomad}/v1/var/${path}`, { method: "PUT", body: JSON.stringify({ Path: path, Items }) });
  }
}

/** Puts a program's bundle into the releases. */
async function releaseOf(entry: string): Promise<{ url: string; digest: string }> {
  const archive = await archiveOf(entry);
  const digest = createHash("sha256").update(archive).digest("hex");
  await writeFile(join(folder, "releases", `${digest}.tar.gz`), archive);
  return { url: `http://127.0.0.1:${base + 40}/${digest}.tar.gz`, digest };
}

async function logFolders(): Promise<string[]> {
  const allocations = join(folder, "nomad/alloc");
  const logs = (await readdir(allocations)).map((id) => join(allocations, id, "alloc/logs"));
  return [...logs, join(folder, "nomad.log"), join(folder, "consul.log")];
}

async function startAgents(): Promise<void> {
  for (const name of ["consul", "nomad", "data", "releases"]) {
    await mkdir(join(folder, name), { recursive: true });
  }
  const ports = (offsets: Record<string, number>) =>
    Object.fromEntries(Object.entries(offsets).map(([name, offset]) => [name, base + offset]));
  await start("consul", [tools.consul, "agent", "-config-file"], {
    server: true,
    bootstrap_expect: 1,
    datacenter: "dev",
    data_dir: join(folder, "consul"),
    bind_addr: "127.0.0.1",
    client_addr: "127.0.0.1",
    ports: { ...ports({ http: 0, server: 1, serf_lan: 2, serf_wan: 3, dns: 5 }), grpc: -1, grpc_tls: -1 },
    performance: { raft_multiplier: 1 },
  });
  await until("Consul", async () => (await json<string>(`${consul}/v1/status/leader`)) !== "", 60_000);
  await start("nomad", [tools.nomad, "agent", "-config"], {
    datacenter: "dev",
    data_dir: join(folder, "nomad"),
    bind_addr: "127.0.0.1",
    advertise: { http: "127.0.0.1", rpc: "127.0.0.1", serf: "127.0.0.1" },
    ports: ports({ http: 10, rpc: 11, serf: 12 }),
    server: {
      enabled: true,
      bootstrap_expect: 1,
      default_scheduler_config: { memory_oversubscription_enabled: true },
    },
    client: {
      enabled: true,
      network_interface: "lo",
      min_dynamic_port: base + 100,
      max_dynamic_port: base + 199,
      options: { "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean" },
    },
    consul: { address: `127.0.0.1:${base}` },
    plugin: { raw_exec: { config: { enabled: true } } },
  });
  await until(
    "Nomad",
    async () => (await json<{ Status: string }[]>(`${nomad}/v1/nodes`))[0]?.Status === "ready",
    60_000,
  );
}

async function start(name: string, [command, ...args]: string[], configuration: object): Promise<void> {
  const file = join(folder, `${name}.json`);
  await writeFile(file, JSON.stringify(configuration));
  const log = openSync(join(folder, `${name}.log`), "a");
  const child = spawn(command as string, [...args, file], {
    stdio: ["ignore", log, log],
    // What it starts is found by it in the end.
    cwd: folder,
  });
  closeSync(log);
  agents.push({ pid: child.pid as number, exited: once(child, "exit") });
}

async function json<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${init?.method ?? "GET"} ${url}: ${response.status} ${text}`);
  }
  return JSON.parse(text || "null") as T;
}

/** Polls until the condition gives something true; its errors count as not yet. */
async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 150_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + deadlineMs;
  let cause: unknown;
  while (Date.now() < end) {
    try {
      const value = await condition();
      if (value) {
        return value;
      }
    } catch (error) {
      cause = error;
    }
    await delay(100);
  }
  throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`, { cause });
}

/** The process that listens on a port. */
function holderOf(port: number): number {
  const pid = holdersOf([port])[0]?.pid;
  if (pid === undefined) {
    throw new Error(`Nobody listens on port ${port}`);
  }
  return pid;
}
