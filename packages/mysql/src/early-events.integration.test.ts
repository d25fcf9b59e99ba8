import { connectMessaging, eventOf, type Messaging } from "@lab/messaging";
import type { Pool } from "mysql2/promise";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { connectMysql, handleOnce, inboxMigration, isMysqlAway, migrateMysql } from "./index.ts";

let mysql: MysqlServer;
let nats: NatsServer;
let pool: Pool;
let messaging: Messaging;

beforeAll(async () => {
  [mysql, nats] = await Promise.all([startMysql("order"), startNats()]);
  pool = connectMysql(mysql.environmentOf("order"));
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
});

afterAll(async () => {
  await messaging?.close();
  await pool?.end();
  await Promise.all([mysql?.stop(), nats?.stop()]);
});

test("an event that comes before the schema waits for it, and is no dead letter", async () => {
  let attempts = 0;
  let handled = 0;
  messaging.consume({
    name: "order",
    isTransient: isMysqlAway,
    handlers: {
      async "order.confirmed.v1"(event) {
        attempts++;
        await handleOnce(pool, event, async () => {
          handled++;
        });
      },
    },
  });
  await until("NATS to be connected", () =>
    messaging.check().then(
      () => true,
      () => false,
    ),
  );
  await messaging.publish(
    eventOf("order.confirmed.v1", { key: "7", source: "test", data: { orderId: "1", userId: 7 } }),
  );
  await until("more attempts than a mistake gets", () => attempts > 5);
  await migrateMysql(pool, log, [inboxMigration]);
  await until("the event to be handled", () => handled === 1);
  const operator = await nats.connect();
  expect((await operator.manager.streams.info("SHOP_DLQ")).state.messages).toBe(0);
  await operator.close();
});
