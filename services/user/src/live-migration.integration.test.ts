import { eventOf } from "@lab/messaging";
import { connectMysql, type Migration, migrateMysql } from "@lab/mysql";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { migrations } from "./migrations.ts";
import { startUserService, type UserService } from "./testing/user-service.ts";

/** What the next release might bring: the instances that run don't know of it. */
const next: Migration[] = [
  {
    name: "nicknames",
    statements: ["ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname VARCHAR(100) NULL, ALGORITHM=INSTANT"],
  },
  {
    name: "users by name",
    statements: ["ALTER TABLE users ADD KEY IF NOT EXISTS users_name (name), ALGORITHM=INPLACE, LOCK=NONE"],
  },
];

let mysql: MysqlServer;
let users: UserService;
let pool: Pool;

beforeAll(async () => {
  mysql = await startMysql("user");
  pool = connectMysql(mysql.environmentOf("user"));
});

afterAll(async () => {
  await users?.stop();
  await pool?.end();
  await mysql?.stop();
});

test("rows from before a migration are there after it, with NULL or the default in the new columns", async () => {
  const first = migrations.slice(0, 2);
  expect(first.map(({ name }) => name)).toEqual(["users and addresses", "students"]);
  await migrateMysql(pool, log, first);
  await pool.query("INSERT INTO users (id, name, email) VALUES (7, 'Early', 'early@example.org')");
  await migrateMysql(pool, log, migrations.slice(0, -1));
  await pool.query("UPDATE users SET role = 'admin' WHERE id = 7");
  users = await startUserService(mysql);
  await pool.query("UPDATE users SET role = 'customer' WHERE id = 7");
  const early = await users.call("GET", "/api/users/7", { token: await users.admin() });
  expect(early.body).toMatchObject({ name: "Early", age: null, role: "customer" });
  // NATS is away, so that what the last migration says is still there.
  const [outbox] = await pool.query<RowDataPacket[]>("SELECT event FROM outbox ORDER BY id LIMIT 1");
  const told = JSON.parse(outbox[0]?.event);
  expect(eventOf("user.registered.v1", told)).toEqual(told);
  expect(told.data).toEqual({ userId: 7, name: "Early", email: "early@example.org" });
});

test("a migration that waits for a long transaction lets the requests through", async () => {
  const { id, token } = await users.join("Patient");
  const long = await pool.getConnection();
  await long.beginTransaction();
  await long.query("SELECT name FROM users LIMIT 1");
  let isDone = false;
  const migrating = migrateMysql(pool, log, [
    { name: "flags", statements: ["ALTER TABLE users ADD COLUMN IF NOT EXISTS flag INT NULL"] },
  ]).then(() => {
    isDone = true;
  });
  const endMs = Date.now() + 3000;
  const tookMs: number[] = [];
  while (Date.now() < endMs) {
    const startedMs = Date.now();
    expect((await users.call("GET", `/api/users/${id}`, { token })).status).toBe(200);
    tookMs.push(Date.now() - startedMs);
  }
  expect(isDone).toBe(false);
  await long.commit();
  long.release();
  await migrating;
  // It has queued up before them at least once, and each time for a second only.
  expect(Math.max(...tookMs)).toBeGreaterThan(500);
  expect(Math.max(...tookMs)).toBeLessThan(2500);
});

test("tables change under load, and no request fails", async () => {
  await pool.query(
    `INSERT INTO users (name, email)
     SELECT CONCAT('Somebody ', seq), CONCAT('somebody-', seq, '@example.org') FROM seq_1_to_100000`,
  );
  const { id, token } = await users.join("Busy");
  const admin = await users.admin();
  const statuses: number[] = [];
  let isOver = false;
  const callers = [
    () => users.call("GET", `/api/users/${id}`, { token }),
    (turn: number) =>
      users.call("PUT", `/api/users/${id}`, {
        token,
        body: { name: `Busy ${turn}`, email: "busy@example.org" },
      }),
    (turn: number) =>
      users.call("PUT", `/api/users/${id}/addresses/home`, {
        token,
        body: { street: `Lake View ${turn}`, city: "Pune" },
      }),
    (turn: number) =>
      users.call("PUT", `/api/users/${200_000 + turn}`, {
        token: admin,
        body: { name: "New", email: `new-${turn}@example.org` },
      }),
    (turn: number) =>
      users.call("PUT", `/api/users/students/${turn}`, {
        token: admin,
        body: { name: "New", class: 1, marks: 1 },
      }),
    () => users.call("GET", "/api/users?limit=50", { token: admin }),
  ].map(async (call) => {
    for (let turn = 1; !isOver; turn++) {
      statuses.push((await call(turn)).status);
    }
  });
  const requests = (count: number) => {
    const before = statuses.length;
    return until(`${count} requests`, () => statuses.length >= before + count);
  };

  await requests(100);
  const before = statuses.length;
  await migrateMysql(pool, log, next);
  expect(statuses.length).toBeGreaterThan(before);
  const column = "/api/users/students/columns/hobbies";
  const added = await users.call("PUT", column, { token: admin, body: { type: "text" } });
  expect(added.status).toBe(200);
  await requests(50);
  expect((await users.call("DELETE", column, { token: admin })).status).toBe(204);
  await requests(100);
  isOver = true;
  await Promise.all(callers);

  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  const [columns] = await pool.query<RowDataPacket[]>("SHOW COLUMNS FROM users LIKE 'nickname'");
  expect(columns).toHaveLength(1);
});
