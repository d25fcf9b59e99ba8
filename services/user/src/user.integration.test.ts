import { type Consumer, connectMessaging, eventOf, type Messaging, type ShopEvent } from "@lab/messaging";
import { connectMysql } from "@lab/mysql";
import type { Redis } from "ioredis";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { type RedisServer, startRedis } from "../../../tests/servers/redis.ts";
import { fuzz } from "../../../tests/support/fuzz/check.ts";
import type { ApiDocument } from "../../../tests/support/fuzz/operations.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import {
  administrator,
  erasers,
  migrateUserService,
  startUserService,
  type UserService,
} from "./testing/user-service.ts";

let mysql: MysqlServer;
let nats: NatsServer;
let redisServer: RedisServer;
let redis: Redis;
let users: UserService;
let pool: Pool;
let messaging: Messaging;
let consumer: Consumer;
const events: ShopEvent[] = [];
const tokens: string[] = [];

beforeAll(async () => {
  [mysql, nats, redisServer] = await Promise.all([startMysql("user"), startNats(), startRedis()]);
  redis = redisServer.connect();
  const account = nats.environmentOf("operator");
  users = await startUserService(mysql, { ...account, ...redisServer.environmentOf("user") });
  pool = connectMysql(mysql.environmentOf("user"));
  messaging = connectMessaging({ environment: account, name: "test", log });
  const keep = async (event: ShopEvent) => void events.push(event);
  consumer = messaging.consume({
    name: "test",
    handlers: { "user.registered.v1": keep, "user.changed.v1": keep, "user.erased.v1": keep },
  });
});

afterAll(async () => {
  await users?.stop();
  await consumer?.close();
  await messaging?.close();
  await pool?.end();
  redis?.disconnect();
  await Promise.all([mysql?.stop(), nats?.stop(), redisServer?.stop()]);
});

async function joined(name: string) {
  const person = await users.join(name);
  tokens.push(person.token);
  return person;
}

function eventsOf(id: number): Promise<ShopEvent[]> {
  return expect
    .poll(() => events.filter(({ key }) => key === String(id)), { timeout: 10_000 })
    .not.toEqual([])
    .then(() => events.filter(({ key }) => key === String(id)));
}

test("somebody registers, logs in, and is who they say", async () => {
  const account = { name: "Riya", email: "riya@example.org", password: "correct horse battery", age: 22 };
  const registered = await users.call("POST", "/api/users", { body: account });
  expect(registered.status).toBe(201);
  expect(registered.headers.get("location")).toBe(`/api/users/${registered.body.id}`);
  expect(registered.body).toEqual({
    id: registered.body.id,
    name: "Riya",
    email: "riya@example.org",
    age: 22,
    role: "customer",
    addresses: [],
  });
  expect(await users.call("POST", "/api/users", { body: account })).toMatchObject({ status: 409 });

  const { email, password } = account;
  const session = await users.call("POST", "/api/users/login", { body: { email, password } });
  expect(session).toMatchObject({ status: 200, body: { user: registered.body } });
  const lifeMs = Date.parse(session.body.expiresAt) - Date.now();
  expect(lifeMs).toBeGreaterThan(3_500_000);
  expect(lifeMs).toBeLessThanOrEqual(3_600_000);
  tokens.push(session.body.token);
  const me = await users.call("GET", "/api/users/me", { token: session.body.token });
  expect(me).toMatchObject({ status: 200, body: registered.body });
  expect(await eventsOf(registered.body.id)).toMatchObject([
    { type: "user.registered.v1", data: { userId: registered.body.id, name: "Riya", email } },
  ]);
});

test("a wrong password and an unknown email are refused in the same words", async () => {
  await joined("Sneha");
  const refusals = await Promise.all(
    [
      { email: "sneha@example.org", password: "the password of Riya" },
      { email: "nobody@example.org", password: "the password of Sneha" },
    ].map((body) => users.call("POST", "/api/users/login", { body })),
  );
  for (const { status, body } of refusals) {
    expect([status, body.detail]).toEqual([401, "The email or the password is wrong."]);
  }
});

test("one can change what is one's own, and the other services hear of it", async () => {
  const { id, token, password } = await joined("Arjun");
  const profile = { name: "Arjun K", email: "arjun.k@example.org", age: 23 };
  const changed = await users.call("PUT", `/api/users/${id}`, { token, body: profile });
  expect(changed).toMatchObject({ status: 200, body: { id, ...profile } });
  const home = { street: "Lake View 1", city: "Pune" };
  const moved = await users.call("PUT", `/api/users/${id}/addresses/home`, { token, body: home });
  expect(moved.body.addresses).toEqual([{ label: "home", ...home }]);
  expect((await users.call("GET", `/api/users/${id}`, { token })).body).toEqual(moved.body);
  await until("both events", async () => (await eventsOf(id)).length === 2);
  expect((await eventsOf(id))[1]).toMatchObject({
    type: "user.changed.v1",
    data: { userId: id, name: "Arjun K", email: "arjun.k@example.org" },
  });
  const login = { email: profile.email, password };
  expect((await users.call("POST", "/api/users/login", { body: login })).status).toBe(200);
});

test("nobody can read or change what is another's, whether it is there or not", async () => {
  const [owner, stranger] = [await joined("Owner"), await joined("Stranger")];
  await users.call("PUT", `/api/users/${owner.id}/addresses/home`, {
    token: owner.token,
    body: { street: "Lake View 1", city: "Pune" },
  });
  const before = await users.call("GET", `/api/users/${owner.id}`, { token: owner.token });
  const profile = { name: "Taken", email: "taken@example.org" };
  const refusals = new Set<string>();
  for (const id of [owner.id, 4_000_000]) {
    for (const [method, path, body] of [
      ["GET", `/api/users/${id}`],
      ["PUT", `/api/users/${id}`, profile],
      ["PUT", `/api/users/${id}/addresses/home`, { street: "Taken", city: "Taken" }],
      ["DELETE", `/api/users/${id}`],
    ] as const) {
      const refused = await users.call(method, path, { token: stranger.token, body });
      expect(refused.status, `${method} ${path}`).toBe(403);
      refusals.add(refused.body.detail);
      expect((await users.call(method, path, { body })).status, `${method} ${path}`).toBe(401);
    }
  }
  expect(refusals.size).toBe(1);
  for (const [method, path, body] of [
    ["GET", "/api/users"],
    ["GET", "/api/users/reports/cities"],
    ["POST", "/api/users/keys/rotate"],
    ["PUT", "/api/users/students/1", { name: "Taken", class: 1, marks: 1 }],
    ["PUT", "/api/users/students/columns/taken", { type: "text" }],
    ["DELETE", "/api/users/students/columns/taken"],
    ["PUT", `/api/users/${stranger.id}`, { ...profile, password: "another password" }],
  ] as const) {
    expect((await users.call(method, path, { token: stranger.token, body })).status, path).toBe(403);
  }
  expect(await users.call("GET", `/api/users/${owner.id}`, { token: owner.token })).toMatchObject({
    body: before.body,
  });
});

test("an administrator creates people with an id, again without a change, and lists them", async () => {
  const token = await users.admin();
  tokens.push(token);
  const body = {
    name: "Shopper",
    email: "shopper@example.org",
    age: 30,
    password: "a password to begin with",
  };
  for (let turn = 0; turn < 2; turn++) {
    expect(await users.call("PUT", "/api/users/9001", { token, body })).toMatchObject({
      status: 200,
      body: { id: 9001, name: "Shopper" },
    });
  }
  await users.call("PUT", "/api/users/9001/addresses/home", { token, body: { street: "A", city: "Jaipur" } });
  const page = await users.call("GET", "/api/users?city=Jaipur&limit=1", { token });
  expect(page.body).toMatchObject([{ id: 9001, addresses: [{ city: "Jaipur" }] }]);
  expect((await users.call("GET", "/api/users/reports/cities", { token })).body).toContainEqual({
    city: "Jaipur",
    users: 1,
    averageAge: 30,
  });
  const cities = await users.call("GET", "/api/users/reports/cities?limit=1", { token });
  expect(cities.body).toHaveLength(1);
  expect((await users.call("GET", "/api/users/reports/cities?limit=501", { token })).status).toBe(400);
  const { email, password } = body;
  expect((await users.call("POST", "/api/users/login", { body: { email, password } })).status).toBe(200);
  expect(await users.call("PUT", "/api/users/9002", { token, body })).toMatchObject({ status: 409 });
  const last = { ...body, email: "last@example.org" };
  expect((await users.call("PUT", "/api/users/4294967295", { token, body: last })).status).toBe(400);
  expect((await eventsOf(9001)).map(({ type }) => type)).toEqual(["user.registered.v1"]);
});

test("the administrator is told of as everybody is", async () => {
  const { body } = await users.call("GET", "/api/users/me", { token: await users.admin() });
  expect(await eventsOf(body.id)).toMatchObject([
    { type: "user.registered.v1", data: { email: administrator.email } },
  ]);
});

test("somebody has at most 20 addresses, and can change each of them", async () => {
  const { id, token } = await joined("Mover");
  const put = (label: string) =>
    users.call("PUT", `/api/users/${id}/addresses/${label}`, { token, body: { street: "A", city: "Delhi" } });
  const answers = await Promise.all(Array.from({ length: 25 }, (_, index) => put(`place-${index}`)));
  const kept = answers.filter(({ status }) => status === 200);
  expect(kept).toHaveLength(20);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
  const { addresses } = (await users.call("GET", `/api/users/${id}`, { token })).body;
  expect(addresses).toHaveLength(20);
  expect((await put(addresses[0].label)).status).toBe(200);
  expect(await put("more")).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining("20 addresses") },
  });
});

test.each(["Home", "home ", "home%20", "höme", "🙂", "-home", "a".repeat(31)])(
  "%s is no label: MySQL might take it for another",
  async (label) => {
    const token = await users.admin();
    const body = { street: "A", city: "Delhi" };
    const path = `/api/users/1/addresses/${label.includes("%") ? label : encodeURIComponent(label)}`;
    expect((await users.call("PUT", path, { token, body })).status).toBe(400);
  },
);

test("migrating again keeps the administrator, and gives a new password where that has changed", async () => {
  await migrateUserService(users.environment);
  expect(await users.admin()).toBeTypeOf("string");
  await migrateUserService({ ...users.environment, ADMIN_PASSWORD: "another password" });
  expect((await users.call("POST", "/api/users/login", { body: administrator })).status).toBe(401);
  await migrateUserService(users.environment);
  expect(await users.admin()).toBeTypeOf("string");
});

test("what would be code elsewhere is only text", async () => {
  const texts = [
    "'; DROP TABLE users; --",
    '" OR ""="',
    "Robert\\'); DELETE FROM addresses; --",
    '{"$gt": ""}',
    "${7*7} {{7*7}} %s %00",
    "नमस्ते 🙂",
  ];
  const { id, token } = await joined("Bobby");
  for (const text of texts) {
    const profile = { name: text, email: "bobby@example.org" };
    expect(await users.call("PUT", `/api/users/${id}`, { token, body: profile })).toMatchObject({
      status: 200,
      body: { name: text },
    });
    const place = { street: text, city: text };
    const moved = await users.call("PUT", `/api/users/${id}/addresses/home`, { token, body: place });
    expect(moved.body.addresses).toEqual([{ label: "home", ...place }]);
  }
  const admin = await users.admin();
  const city = encodeURIComponent("x' OR '1'='1");
  expect((await users.call("GET", `/api/users?city=${city}`, { token: admin })).body).toEqual([]);
  for (const body of [
    { email: { $ne: null }, password: { $ne: null } },
    { email: "' OR '1'='1' -- ", password: "x" },
    { email: ["bobby@example.org"], password: "x" },
  ]) {
    expect((await users.call("POST", "/api/users/login", { body })).status).toBe(400);
  }
});

test("a new key signs after a while, and nobody is logged out", async () => {
  const [before, admin] = [await joined("Before"), await users.admin()];
  const rotated = await users.call("POST", "/api/users/keys/rotate", { token: admin });
  expect(rotated.status).toBe(201);
  const { kid } = rotated.body;
  expect(kid).not.toBe(decodeProtectedHeader(before.token).kid);
  const published = async () =>
    (await users.call("GET", "/api/users/jwks.json")).body.keys.map((key: { kid: string }) => key.kid);
  expect(await published()).toContain(kid);
  const { email, password } = before;
  let token = "";
  await until("the new key to sign", async () => {
    token = (await users.call("POST", "/api/users/login", { body: { email, password } })).body.token;
    expect((await users.call("GET", "/api/users/me", { token })).status).toBe(200);
    return decodeProtectedHeader(token).kid === kid;
  });
  tokens.push(token);
  expect(await published()).toContain(decodeProtectedHeader(before.token).kid);
  expect((await users.call("GET", "/api/users/me", { token: before.token })).status).toBe(200);
});

/** What the gateway is told of log-ins that have ended. */
async function revocations(): Promise<string[][]> {
  return (await redis.xrange("revocations", "-", "+")).map(([, fields]) => fields);
}

test("services take no person's own token, only the gateway's", async () => {
  const { token } = await joined("Direct");
  const ask = (token: string) =>
    fetch(`${users.url}/api/users/me`, { headers: { authorization: `Bearer ${token}` } });
  expect((await ask(await users.internalOf(token))).status).toBe(200);
  const refused = await ask(token);
  expect(refused.status).toBe(401);
  expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("gateway") });
});

test("who logs out has that log-in ended, and no other", async () => {
  const { id, token, email, password } = await joined("Going");
  const other = (await users.call("POST", "/api/users/login", { body: { email, password } })).body.token;
  tokens.push(other);
  for (let turn = 0; turn < 2; turn++) {
    expect(await users.call("POST", "/api/users/logout", { token })).toMatchObject({ status: 204 });
  }
  const { jti, exp } = decodeJwt(token);
  expect(decodeJwt(other).jti).not.toBe(jti);
  const ended = (await revocations()).filter((fields) => fields.includes(jti as string));
  expect(ended).toEqual(Array(2).fill(["sid", jti, "exp", String(exp)]));
  expect((await revocations()).flat()).not.toContain(decodeJwt(other).jti);
  expect((await users.call("GET", `/api/users/${id}`, { token: other })).status).toBe(200);
  expect((await users.call("POST", "/api/users/logout")).status).toBe(401);
});

test("a log-in without a name can't be ended, and that is said", async () => {
  const { id } = await joined("Nameless");
  const refused = await fetch(`${users.url}/api/users/logout`, {
    method: "POST",
    headers: { authorization: `Bearer ${users.identities.tokenOf(id)}` },
  });
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("when its token expires") });
});

test("log-ins that have ended are kept for as long as their tokens would be good", async () => {
  const { token } = await joined("Late");
  await redis.del("revocations");
  const add = (sid: string, minutesAgo: number) =>
    redis.xadd("revocations", `${Date.now() - minutesAgo * 60_000}-*`, "sid", sid, "exp", "1");
  // Redis drops whole nodes of a stream, of a hundred entries each.
  for (let index = 0; index < 100; index++) {
    await add(`ended long ago ${index}`, 62);
  }
  await add("ended an hour ago", 60);
  expect((await users.call("POST", "/api/users/logout", { token })).status).toBe(204);
  expect((await revocations()).map(([, sid]) => sid)).toEqual(["ended an hour ago", decodeJwt(token).jti]);
});

test("somebody is erased here, everywhere, and it is told what came of it", async () => {
  const { id, token, email, password } = await joined("Leaving");
  await users.call("PUT", `/api/users/${id}/addresses/home`, { token, body: { street: "A", city: "B" } });
  const erased = await users.call("DELETE", `/api/users/${id}`, { token });
  expect(erased.status).toBe(202);
  const { erasureId } = erased.body;
  const [, , , ended] =
    (await revocations()).find(([kind, sub]) => kind === "sub" && sub === String(id)) ?? [];
  // A log-in that was under way when the row was removed is ended, too.
  expect(Number(ended) * 1000).toBeGreaterThan(Date.now());
  expect((await users.call("GET", `/api/users/${id}`, { token })).status).toBe(404);
  const profile = { name: "Back", email };
  expect((await users.call("PUT", `/api/users/${id}`, { token, body: profile })).status).toBe(404);
  expect((await users.call("DELETE", `/api/users/${id}`, { token })).status).toBe(404);
  expect((await users.call("POST", "/api/users/login", { body: { email, password } })).status).toBe(401);
  const [[row]] = await pool.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM addresses WHERE user_id = ?", [
    id,
  ]);
  expect(row?.n).toBe(0);
  await until("the event", async () => (await eventsOf(id)).length === 2);
  const event = (await eventsOf(id))[1] as ShopEvent<"user.erased.v1">;
  expect(event).toMatchObject({ type: "user.erased.v1", data: { userId: id } });
  // Whoever has read the event knows no id that the report is to be had by.
  const { erasureId: name } = event.data;
  expect(JSON.stringify(event)).not.toContain(erasureId);
  expect((await users.call("GET", `/api/users/erasures/${name}`)).status).toBe(400);

  const report = async () => (await users.call("GET", `/api/users/erasures/${erasureId}`)).body;
  expect(await report()).toMatchObject({
    userId: id,
    complete: false,
    services: [{ service: "user", records: 2 }],
  });
  for (const [index, service] of erasers.entries()) {
    expect((await report()).complete).toBe(false);
    const data = { userId: id, erasureId: name, service, records: index };
    const answer = eventOf("user.data-erased.v1", { key: String(id), source: service, data });
    await messaging.publish(answer);
    // A second word of the same service, as after a repeat.
    await messaging.publish({ ...answer, id: `${answer.id}-again`, data: { ...data, records: 99 } });
    await until(`the answer of ${service}`, async () => (await report()).services.length === index + 2);
  }
  expect(await report()).toMatchObject({
    complete: true,
    services: ["user", ...erasers].map((service, index) => ({
      service,
      records: service === "user" ? 2 : index - 1,
    })),
  });
  const unknown = crypto.randomUUID();
  expect((await users.call("GET", `/api/users/erasures/${unknown}`)).status).toBe(404);
  const asAdmin = { token: await users.admin(), body: profile };
  const back = await users.call("PUT", `/api/users/${id}`, asAdmin);
  expect(back).toMatchObject({ status: 409, body: { detail: expect.stringContaining("erased") } });
});

test("an erasure from before its id was hidden can still be asked for by it", async () => {
  const id = crypto.randomUUID();
  await pool.query("INSERT INTO erasures (id, user_id) VALUES (?, 77)", [id]);
  for (const service of ["user", ...erasers]) {
    await pool.query("INSERT INTO erased_data (erasure_id, service, records) VALUES (?, ?, 1)", [
      id,
      service,
    ]);
  }
  expect((await users.call("GET", `/api/users/erasures/${id}`)).body).toMatchObject({
    userId: 77,
    complete: true,
  });
});

test("a row of students stays as it was, with columns added and taken away", async () => {
  const token = await users.admin();
  const body = { name: "Sneha", class: 10, marks: 92 };
  expect((await users.call("PUT", "/api/users/students/2", { token, body })).body).toEqual({
    id: 2,
    ...body,
  });
  await users.call("PUT", "/api/users/students/columns/hobbies", { token, body: { type: "text" } });
  expect((await users.call("GET", "/api/users/students?marksAbove=90")).body).toEqual([
    { id: 2, ...body, hobbies: null },
  ]);
  expect((await users.call("DELETE", "/api/users/students/columns/hobbies", { token })).status).toBe(204);
  expect((await users.call("DELETE", "/api/users/students/columns/marks", { token })).status).toBe(409);
  const large = { ...body, marks: 2 ** 40 };
  expect((await users.call("PUT", "/api/users/students/3", { token, body: large })).status).toBe(400);
});

test("no input makes it fail, and it answers as its document says", async () => {
  const document = (await (await fetch(`${users.url}/openapi.json`)).json()) as ApiDocument;
  const login = { sid: crypto.randomUUID(), sid_exp: Math.floor(Date.now() / 1000) + 3600 };
  const { tokenOf } = users.identities;
  const { violations } = await fuzz({
    origin: users.url,
    document,
    runs: 30,
    seed: 20_251_028,
    tokens: [tokenOf(101, "customer", login), tokenOf(999_999, "admin", login), ""],
    backendUp: true,
  });
  expect(violations).toEqual([]);
  expect((await revocations()).flat()).toContain(login.sid);
});

test("while the database is away, callers are told to come back; then all is there again", async () => {
  const { token, email, password } = await joined("Patient");
  await mysql.kill();
  const away = await users.call("POST", "/api/users/login", { body: { email, password } });
  expect(away.status).toBe(503);
  expect(away.headers.get("retry-after")).toBe("1");
  const late = { name: "Late", email: "late@example.org", password: "the password of Late" };
  expect((await users.call("POST", "/api/users", { body: late })).status).toBe(503);
  expect((await users.call("GET", "/readyz")).status).toBe(503);
  await mysql.start();
  await until("the service to be ready", async () => (await users.call("GET", "/readyz")).status === 200);
  expect((await users.call("GET", "/api/users/me", { token })).status).toBe(200);
});

test("while Redis is away nobody is logged out or erased, and everything else goes on", async () => {
  const { id, token, email, password } = await joined("Staying");
  await redisServer.kill();
  for (const [method, path] of [
    ["POST", "/api/users/logout"],
    ["DELETE", `/api/users/${id}`],
  ] as const) {
    const away = await users.call(method, path, { token });
    expect(away, path).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining("logged out") },
    });
    expect(away.headers.get("retry-after")).toBe("1");
  }
  expect((await users.call("GET", "/readyz")).status).toBe(200);
  expect((await users.call("GET", `/api/users/${id}`, { token })).status).toBe(200);
  expect((await users.call("POST", "/api/users/login", { body: { email, password } })).status).toBe(200);
  expect((await eventsOf(id)).map(({ type }) => type)).toEqual(["user.registered.v1"]);
  await redisServer.start();
  await until("log-outs to work", async () => {
    return (await users.call("POST", "/api/users/logout", { token })).status === 204;
  });
  expect((await users.call("DELETE", `/api/users/${id}`, { token })).status).toBe(202);
});

test("no password and no token is in logs, events or rows", async () => {
  const [rows] = await pool.query<RowDataPacket[]>("SELECT * FROM users");
  const [keys] = await pool.query<RowDataPacket[]>("SELECT * FROM signing_keys");
  const written = {
    logs: users.logged.join("\n"),
    events: JSON.stringify(events),
    rows: JSON.stringify(rows),
    keys: keys.map(({ private_key }) => private_key.toString("latin1")).join(),
  };
  expect(users.logged.length).toBeGreaterThan(50);
  expect(events.length).toBeGreaterThan(10);
  expect(tokens.length).toBeGreaterThan(5);
  const signatures = tokens.map((token) => token.split(".")[2] as string);
  for (const secret of [
    ...signatures,
    "password of",
    "correct horse",
    '"d":',
    users.environment.MYSQL_PASSWORD,
  ]) {
    for (const [place, text] of Object.entries(written)) {
      expect(text.includes(secret as string), `${secret} in ${place}`).toBe(false);
    }
  }
  for (const { password_hash } of rows) {
    expect(written.logs).not.toContain(password_hash);
  }
});
