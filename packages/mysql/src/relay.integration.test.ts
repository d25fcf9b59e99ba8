import { connectMessaging, eventOf, type Messaging, type ShopEvent } from "@lab/messaging";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import {
  addToOutbox,
  connectMysql,
  migrateMysql,
  OutboxRelay,
  outboxMigration,
  transaction,
} from "./index.ts";

let mysql: MysqlServer;
let nats: NatsServer;
let pool: Pool;
let messaging: Messaging;
let relays: OutboxRelay[];
let received: ShopEvent[];

beforeAll(async () => {
  mysql = await startMysql("order");
});

afterAll(() => mysql?.stop());

beforeEach(async () => {
  nats = await startNats();
  pool = connectMysql(mysql.environmentOf("order"));
  await pool.query("DROP TABLE IF EXISTS outbox, migrations");
  await migrateMysql(pool, log, [outboxMigration]);
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  relays = [];
  received = [];
  messaging.consume({
    name: "reader",
    handlers: {
      async "order.confirmed.v1"(event) {
        received.push(event);
      },
    },
  });
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.close()));
  await messaging?.close();
  await pool?.end();
  await nats?.stop();
});

function startRelay(publisher: Pick<Messaging, "publish"> = messaging): OutboxRelay {
  const relay = new OutboxRelay({ pool, messaging: publisher, log });
  relays.push(relay);
  return relay;
}

function confirmed(number: number, userId = 1 + (number % 10)): ShopEvent<"order.confirmed.v1"> {
  const data = { orderId: String(number), userId };
  return eventOf("order.confirmed.v1", { key: String(userId), source: "test", data });
}

const write = (...events: ShopEvent[]) => transaction(pool, (connection) => addToOutbox(connection, events));

/** The numbers of one person's events, in the order in which they came. */
function numbersOf(userId: number): number[] {
  return received
    .filter(({ key }) => key === String(userId))
    .map(({ data }) => Number((data as { orderId: string }).orderId));
}

function expectAllInOrder(count: number): void {
  expect(received).toHaveLength(count);
  for (let userId = 1; userId <= 10; userId++) {
    expect(numbersOf(userId)).toEqual(numbersOf(userId).toSorted((one, other) => one - other));
  }
}

test("what is written is published soon, once, in each person's order, by whichever relay of several", async () => {
  const [one, other] = [startRelay(), startRelay()];
  const wake = (number: number) => (number % 2 === 0 ? one : other).wake();
  for (let number = 0; number < 300; number += 3) {
    await write(confirmed(number), confirmed(number + 1), confirmed(number + 2));
    wake(number);
  }
  await until("all events to come", () => received.length >= 300);
  expectAllInOrder(300);
  await until("the outbox to be empty", async () => (await one.pending()) === 0);
});

test("rows of a writer that died before it could say so are published too", async () => {
  startRelay();
  await write(confirmed(1));
  await until("the event to come", () => received.length === 1, 5000);
});

test("orders are taken while NATS is away, and published when it is back", async () => {
  const relay = startRelay();
  await nats.kill();
  for (let number = 0; number < 50; number++) {
    await write(confirmed(number));
    relay.wake();
  }
  expect(await relay.pending()).toBe(50);
  await nats.start();
  await until("all events to come", () => received.length >= 50);
  expectAllInOrder(50);
});

test("an event that can't be published is not overtaken by its person's later ones, and holds up nobody else", async () => {
  let isRefused = true;
  const relay = startRelay({
    async publish(event) {
      if (isRefused && event.key === "1" && (event.data as { orderId: string }).orderId === "2") {
        throw new Error("refused");
      }
      await messaging.publish(event);
    },
  });
  await write(confirmed(1, 1), confirmed(2, 1), confirmed(3, 1), confirmed(4, 2));
  relay.wake();
  await until("the others to come", () => received.length >= 2);
  await write(confirmed(5, 1), confirmed(6, 2));
  relay.wake();
  await until("the other person's next to come", () => numbersOf(2).length === 2);
  expect(numbersOf(1)).toEqual([1]);
  expect(await relay.pending()).toBe(3);
  isRefused = false;
  await until("all to come", () => received.length === 6);
  expect(numbersOf(1)).toEqual([1, 2, 3, 5]);
});

test("a row that is committed after one with a higher number is not lost", async () => {
  const relay = startRelay();
  const slow = await pool.getConnection();
  await slow.beginTransaction();
  await addToOutbox(slow, [confirmed(1, 1)]);
  await write(confirmed(2, 2));
  relay.wake();
  await until("the later one to come", () => received.length === 1);
  await until("its row to be removed", async () => (await relay.pending()) === 0);
  await slow.commit();
  slow.release();
  relay.wake();
  await until("the earlier one to come", () => received.length === 2);
});

test("an event that is committed long after its number was given is not overtaken by its person's next", async () => {
  const published: ShopEvent[] = [];
  const relay = startRelay({
    async publish(event) {
      await messaging.publish(event);
      published.push(event);
    },
  });
  let isOver = false;
  const others = (async () => {
    while (!isOver) {
      await write(...Array.from({ length: 40 }, (_, index) => confirmed(0, 100 + index)));
      relay.wake();
    }
  })();
  const ofSlow = () => published.filter(({ key }) => key === "1");
  try {
    for (let round = 1; round <= 10; round++) {
      const slow = await pool.getConnection();
      await slow.beginTransaction();
      await addToOutbox(slow, [confirmed(2 * round, 1)]);
      const goal = published.length + 600;
      await until("many events of others to pass", () => published.length >= goal);
      await slow.commit();
      slow.release();
      await write(confirmed(2 * round + 1, 1));
      await until("both to be published", () => ofSlow().length === 2 * round);
    }
  } finally {
    isOver = true;
    await others;
  }
  const numbers = ofSlow().map(({ data }) => Number((data as { orderId: string }).orderId));
  expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
});

test("a relay waits for the one that has the lock, and goes on when that one's connection is lost", async () => {
  const holder = await pool.getConnection();
  await holder.query("SELECT GET_LOCK(CONCAT(DATABASE(), '.outbox'), 1)");
  const relay = startRelay();
  await write(confirmed(1));
  relay.wake();
  let waitedMs = 0;
  await until("the relay to ask for the lock a second time", async () => {
    const [[waiting]] = await pool.query<RowDataPacket[]>(
      "SELECT TIME_MS AS ms FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'",
    );
    const isAgain = waiting !== undefined && Number(waiting.ms) < waitedMs;
    waitedMs = Number(waiting?.ms ?? waitedMs);
    return isAgain;
  });
  expect(received).toEqual([]);
  holder.destroy();
  await until("the event to come", () => received.length === 1);
});

test("a relay whose connection is cut publishes on with a new one, and nothing twice", async () => {
  const [one, other] = [startRelay(), startRelay()];
  let cuts = 0;
  for (let number = 0; number < 500; number++) {
    await write(confirmed(number));
    one.wake();
    other.wake();
    if (number % 50 === 0) {
      const [[holder]] = await pool.query<RowDataPacket[]>(
        "SELECT IS_USED_LOCK(CONCAT(DATABASE(), '.outbox')) AS id",
      );
      if (holder?.id) {
        await pool.query("KILL ?", [holder.id]);
        cuts++;
      }
    }
  }
  await until("all events to come", () => received.length >= 500);
  expect(cuts).toBeGreaterThan(0);
  expectAllInOrder(500);
});

test("what was committed is published although MySQL is killed", async () => {
  const relay = startRelay();
  let written = 0;
  const writing = (async () => {
    while (written < 300) {
      try {
        await write(confirmed(written));
        written++;
        relay.wake();
      } catch {
        // The commit may have arrived or not: the same number again is another event, which the count below allows.
      }
    }
  })();
  await until("some events to come", () => received.length >= 100);
  await mysql.kill();
  await mysql.start();
  await writing;
  const numbers = () => new Set(received.map(({ data }) => (data as { orderId: string }).orderId));
  await until("all events to come", () => numbers().size === 300);
  await until("the outbox to be empty", async () => (await relay.pending()) === 0);
});
