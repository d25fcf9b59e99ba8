import { eventOf } from "@lab/messaging";
import { createLogger } from "@lab/service-kit";
import type { Pool, PoolConnection } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { migrateMysql } from "./migrate.ts";
import { addToOutbox, outboxMigration, readOutbox, removeFromOutbox } from "./outbox.ts";
import { connectMysql } from "./pool.ts";

const log = createLogger(
  { SERVICE_NAME: "test", ENVIRONMENT: "test", INSTANCE_ID: "one", LOG_LEVEL: "error" },
  { write: () => undefined },
);
const event = eventOf("order.confirmed.v1", {
  key: "1",
  data: { orderId: "1", userId: 1 },
  source: "test",
});

let mysql: MysqlServer;
let pool: Pool;
let writer: PoolConnection;
let relay: PoolConnection;

beforeAll(async () => {
  mysql = await startMysql("test");
  pool = connectMysql(mysql.environmentOf("test"));
  await migrateMysql(pool, log, [outboxMigration]);
  writer = await pool.getConnection();
  relay = await pool.getConnection();
  for (const connection of [writer, relay]) {
    await connection.query("SET innodb_lock_wait_timeout = 1");
  }
});

afterAll(async () => {
  await pool?.end();
  await mysql?.stop();
});

/** Few rows, of which most are removed: here the server would rather read the whole table. */
beforeEach(async () => {
  await pool.query("DELETE FROM outbox");
  await addToOutbox(
    writer,
    Array.from({ length: 20 }, () => event),
  );
});

async function publishedIds(): Promise<number[]> {
  return (await readOutbox(relay, 0, 15)).map(({ id }) => id);
}

describe("removing what was published", () => {
  test("keeps nobody from writing to the outbox", async () => {
    await relay.beginTransaction();
    await removeFromOutbox(relay, await publishedIds());
    await addToOutbox(writer, [event]);
    await relay.commit();
    expect(await readOutbox(relay, 0, 100)).toHaveLength(6);
  });

  test("waits for nobody who has written to it and not committed yet", async () => {
    const ids = await publishedIds();
    await writer.beginTransaction();
    await addToOutbox(writer, [event]);
    await removeFromOutbox(relay, ids);
    expect(await readOutbox(relay, 0, 100)).toHaveLength(5);
    await writer.commit();
    expect(await readOutbox(relay, 0, 100)).toHaveLength(6);
  });
});
