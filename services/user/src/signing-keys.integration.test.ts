import { connectMysql, migrateMysql } from "@lab/mysql";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { migrations } from "./migrations.ts";
import { createSealing } from "./sealing.ts";
import { SigningKeys } from "./signing-keys.ts";

const second = 1000;
const hour = 3600 * second;

let mysql: MysqlServer;
let pool: Pool;
let nowMs: number;

beforeAll(async () => {
  mysql = await startMysql("user");
  pool = connectMysql(mysql.environmentOf("user"));
  await migrateMysql(pool, log, migrations);
});

afterAll(async () => {
  await pool?.end();
  await mysql?.stop();
});

beforeEach(async () => {
  nowMs = Date.now();
  await pool.query("DELETE FROM signing_keys");
});

/** An instance of the service, with a clock that the test moves. */
function keysOf(secret = "0123456789abcdef0123456789abcdef"): SigningKeys {
  const sealing = createSealing(secret);
  return new SigningKeys({ pool, sealing, lifetimeMs: 24 * hour, tokenTtlMs: hour, now: () => nowMs });
}

async function publishedKids(keys: SigningKeys): Promise<string[]> {
  return (await keys.published()).map(({ kid }) => kid as string);
}

test("a new key is published, then signs; the old one is published until its last token has expired", async () => {
  const keys = keysOf();
  await keys.ensure();
  const { kid: first } = await keys.current();
  const { kid: second_, signsFrom } = await keys.rotate();
  expect((await keys.current()).kid).toBe(first);
  expect(await publishedKids(keys)).toEqual([second_, first]);
  nowMs = signsFrom.getTime() - 1;
  expect((await keys.current()).kid).toBe(first);
  nowMs = signsFrom.getTime();
  expect((await keys.current()).kid).toBe(second_);
  nowMs += hour;
  expect(await publishedKids(keys)).toEqual([second_, first]);
  nowMs += 61 * second;
  expect(await publishedKids(keys)).toEqual([second_]);
});

test("a key that has signed for its lifetime gets one successor, however many ask", async () => {
  const instances = [keysOf(), keysOf(), keysOf()];
  await instances[0]?.ensure();
  nowMs += 24 * hour;
  const [first] = await Promise.all(
    Array.from({ length: 12 }, (_, index) => (instances[index % 3] as SigningKeys).current()),
  );
  const kids = await publishedKids(instances[0] as SigningKeys);
  expect(kids).toHaveLength(2);
  expect(kids[1]).toBe(first?.kid);
  nowMs += 10 * second;
  expect(await Promise.all(instances.map(async (keys) => (await keys.current()).kid))).toEqual(
    Array(3).fill(kids[0]),
  );
});

test("old keys are removed when a new one is made", async () => {
  const keys = keysOf();
  await keys.ensure();
  for (let day = 0; day < 5; day++) {
    nowMs += 24 * hour;
    await keys.rotate();
  }
  const [rows] = await pool.query<RowDataPacket[]>("SELECT kid FROM signing_keys");
  expect(rows.length).toBeLessThanOrEqual(3);
});

test("keys that were sealed with another secret are of no use, and ensure makes one that is", async () => {
  const keys = keysOf();
  await keys.ensure();
  const other = keysOf("another secret of 32 characters or more");
  await expect(other.current()).rejects.toThrow("can't be opened with this KEY_ENCRYPTION_KEY");
  nowMs += 1;
  await other.ensure();
  const { kid } = await other.current();
  expect(await publishedKids(other)).toContain(kid);
});

test("ensure changes nothing where there is a key", async () => {
  const keys = keysOf();
  await keys.ensure();
  const kids = await publishedKids(keys);
  await keys.ensure();
  expect(await publishedKids(keys)).toEqual(kids);
});
