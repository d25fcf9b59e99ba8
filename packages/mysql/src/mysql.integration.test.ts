import { setTimeout as delay } from "node:timers/promises";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { connectMysql, handleOnce, inboxMigration, isMysqlAway, migrateMysql, transaction } from "./index.ts";

let mysql: MysqlServer;
let pool: Pool;

beforeAll(async () => {
  mysql = await startMysql("payment");
});

afterAll(() => mysql?.stop());

beforeEach(async () => {
  pool = connectMysql(mysql.environmentOf("payment"));
  await pool.query("DROP TABLE IF EXISTS inbox, migrations, charges");
  await migrateMysql(pool, log, [inboxMigration, charges]);
});

afterEach(() => pool?.end());

const charges = {
  name: "charges",
  statements: ["CREATE TABLE IF NOT EXISTS charges (id INT NOT NULL PRIMARY KEY, cents INT NOT NULL)"],
};

async function count(table: string): Promise<number> {
  const [[row]] = await pool.query<RowDataPacket[]>(`SELECT COUNT(*) AS count FROM ${table}`);
  return Number(row?.count);
}

const event = { id: "3f0c7ad1-event" };

test("an event is handled once, however often it comes", async () => {
  const charge = () =>
    handleOnce(pool, event, async (connection) => {
      await connection.query("INSERT INTO charges VALUES (?, 5)", [await count("charges")]);
    });
  expect(await charge()).toBe(true);
  expect(await charge()).toBe(false);
  expect(await count("charges")).toBe(1);
});

test("an event that comes to several instances at the same time is handled by one", async () => {
  const results = await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      handleOnce(pool, event, async (connection) => {
        await delay(50);
        await connection.query("INSERT INTO charges VALUES (?, 5)", [index]);
      }),
    ),
  );
  expect(results.filter(Boolean)).toHaveLength(1);
  expect(await count("charges")).toBe(1);
});

test("an event whose handling failed counts as new, and has left nothing", async () => {
  const failing = handleOnce(pool, event, async (connection) => {
    await connection.query("INSERT INTO charges VALUES (1, 5)");
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await count("charges")).toBe(0);
  expect(await handleOnce(pool, event, async () => {})).toBe(true);
});

test("an error of a duplicate within the handling is not taken for a repeat of the event", async () => {
  await pool.query("INSERT INTO charges VALUES (1, 5)");
  const failing = handleOnce(pool, event, async (connection) => {
    await connection.query("INSERT INTO charges VALUES (1, 5)");
  });
  await expect(failing).rejects.toThrow(/Duplicate/);
});

test("the inbox forgets what can't come again", async () => {
  await pool.query(
    "INSERT INTO inbox VALUES ('old', NOW() - INTERVAL 31 DAY), ('recent', NOW() - INTERVAL 29 DAY)",
  );
  const fresh = connectMysql(mysql.environmentOf("payment"));
  await handleOnce(fresh, event, async () => {});
  await fresh.end();
  const [rows] = await pool.query<RowDataPacket[]>("SELECT event_id FROM inbox ORDER BY event_id");
  expect(rows.map(({ event_id }) => event_id)).toEqual([event.id, "recent"]);
});

test("two transactions that lock each other out both succeed in the end", async () => {
  await pool.query("INSERT INTO charges VALUES (1, 0), (2, 0)");
  const add = (first: number, second: number) =>
    transaction(pool, async (connection) => {
      await connection.query("UPDATE charges SET cents = cents + 1 WHERE id = ?", [first]);
      await delay(100);
      await connection.query("UPDATE charges SET cents = cents + 1 WHERE id = ?", [second]);
    });
  await Promise.all([add(1, 2), add(2, 1)]);
  const [rows] = await pool.query<RowDataPacket[]>("SELECT cents FROM charges");
  expect(rows.map(({ cents }) => cents)).toEqual([2, 2]);
});

test("several instances that migrate at the same time run each step once", async () => {
  const step = { name: "a row", statements: ["INSERT INTO charges VALUES (9, 9)"] };
  await Promise.all([1, 2, 3].map(() => migrateMysql(pool, log, [inboxMigration, charges, step])));
  expect(await count("charges")).toBe(1);
  expect(await count("migrations")).toBe(3);
});

test("times are UTC, whatever the zone of the server and of the process", async () => {
  const [[row]] = await pool.query<RowDataPacket[]>(
    "SELECT NOW(3) AS now, TIMESTAMP '2026-01-02 03:04:05' AS fixed",
  );
  expect(row?.fixed).toEqual(new Date("2026-01-02T03:04:05Z"));
  expect(Math.abs(Date.now() - Number(row?.now))).toBeLessThan(5000);
});

test.each(["SELECT 1 FROM not_yet", "SELECT not_yet FROM charges", "SELECT 1 FROM elsewhere.charges"])(
  "%s: what a migration will bring counts as away",
  async (statement) => {
    const error = await pool.query(statement).catch((error: unknown) => error);
    expect(isMysqlAway(error), String(error)).toBe(true);
  },
);

test("a statement whose connection an administrator kills may succeed with another", async () => {
  const held = await pool.getConnection();
  const killed = held.query("SELECT SLEEP(30)").catch((error: unknown) => error);
  await pool.query("KILL ?", [held.threadId]);
  expect(isMysqlAway(await killed)).toBe(true);
  // The server says it in the two ways, as the moment is.
  const said = Object.assign(new Error("Connection was killed"), {
    code: "UNKNOWN_CODE_PLEASE_REPORT",
    errno: 1927,
  });
  expect(isMysqlAway(said)).toBe(true);
  held.destroy();
});

test("a server that hangs is away, and serves again when it goes on", async () => {
  const hasty = connectMysql(mysql.environmentOf("payment"), { maxSilenceMs: 300 });
  try {
    await hasty.query("SELECT 1");
    await mysql.freeze();
    const errors = await Promise.all(
      [hasty.query("SELECT 1"), transaction(hasty, async () => {})].map((hanging) =>
        hanging.catch((error: unknown) => error),
      ),
    );
    expect(errors.map(isMysqlAway)).toEqual([true, true]);
    mysql.thaw();
    await hasty.query("SELECT 1");
    // Nobody waits for an answer on a connection that is at rest.
    const rested = await hasty.getConnection();
    await delay(700);
    await rested.query("SELECT 1");
    rested.release();
  } finally {
    mysql.thaw();
    await hasty.end();
  }
});

test("a migration may take longer than a statement", async () => {
  const hasty = connectMysql(mysql.environmentOf("payment"), { maxSilenceMs: 300 });
  await migrateMysql(hasty, log, [{ name: "long", statements: ["DO SLEEP(1)"] }]);
  await hasty.end();
  expect(await count("migrations")).toBe(3);
});

test("a server that is away is told from a mistake, before, during and after its end", async () => {
  const mistake = await pool.query("SELECT )").catch((error: unknown) => error);
  expect(isMysqlAway(mistake)).toBe(false);

  const hanging = pool.query("SELECT SLEEP(30)").catch((error: unknown) => error);
  const held = await pool.getConnection();
  await mysql.kill();
  expect(isMysqlAway(await hanging)).toBe(true);
  expect(isMysqlAway(await held.query("SELECT 1").catch((error: unknown) => error))).toBe(true);
  held.destroy();
  expect(isMysqlAway(await pool.query("SELECT 1").catch((error: unknown) => error))).toBe(true);
  expect(isMysqlAway(await transaction(pool, async () => {}).catch((error: unknown) => error))).toBe(true);
  await mysql.start();
  expect(await count("charges")).toBe(0);
});
