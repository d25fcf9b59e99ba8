import { createLogger } from "@lab/service-kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { connectMessaging, eventOf, type Messaging, MessagingAwayError, type ShopEvent } from "./index.ts";

let nats: NatsServer;
let messaging: Messaging;
let warnings: object[];

beforeEach(async () => {
  nats = await startNats();
  warnings = [];
  const log = createLogger(
    { SERVICE_NAME: "test", ENVIRONMENT: "test", INSTANCE_ID: "test", LOG_LEVEL: "warn" },
    { write: (line) => void warnings.push(JSON.parse(line)) },
  );
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
});

afterEach(async () => {
  await messaging?.close();
  await nats?.stop();
});

function confirmed(number: number): ShopEvent<"order.confirmed.v1"> {
  const userId = 1 + (number % 20);
  const data = { orderId: String(number), userId };
  return eventOf("order.confirmed.v1", { key: String(userId), source: "test", data });
}

/** As a relay does: the same event again until it is acknowledged. */
async function publishAtLast(event: ShopEvent): Promise<void> {
  await until(
    "the event to be acknowledged",
    async () => {
      await messaging.publish(event);
      return true;
    },
    60_000,
  );
}

function connected(): Promise<void> {
  return until("NATS to be connected", async () => {
    await messaging.check();
    return true;
  });
}

test("what was acknowledged is handled, though NATS is killed again and again", async () => {
  const handled: string[] = [];
  const seen = new Set<string>();
  messaging.consume({
    name: "reader",
    ackWaitMs: 1000,
    handlers: {
      // Repeats are known by their id, as an inbox knows them.
      async "order.confirmed.v1"({ id, data }) {
        if (!seen.has(id)) {
          seen.add(id);
          handled.push(data.orderId);
        }
      },
    },
  });
  let isOver = false;
  const killing = (async () => {
    for (let kills = 0; kills < 4; kills++) {
      const goal = handled.length + 100;
      await until("some events to be handled", () => isOver || handled.length >= goal);
      await nats.kill();
      await nats.start();
    }
  })();

  let number = 0;
  const chains = Array.from({ length: 20 }, async () => {
    while (number < 1000) {
      await publishAtLast(confirmed(number++));
    }
  });
  await Promise.all(chains);
  await until("all events to be handled", () => handled.length === number, 60_000);
  isOver = true;
  await killing;

  expect(new Set(handled).size).toBe(number);
});

test("a person's events stay in order though NATS is killed between them", async () => {
  const handled: number[] = [];
  messaging.consume({
    name: "reader",
    ackWaitMs: 1000,
    handlers: {
      async "order.confirmed.v1"({ data }) {
        const number = Number(data.orderId);
        if (!handled.includes(number)) {
          handled.push(number);
        }
      },
    },
  });
  const numbers = Array.from({ length: 200 }, (_, index) => index * 20);
  for (const number of numbers) {
    if (number % 1000 === 500 || number === 1500) {
      await nats.kill();
      await nats.start();
    }
    await publishAtLast(confirmed(number));
  }
  await until("all events to be handled", () => handled.length === numbers.length, 60_000);
  expect(handled).toEqual(numbers);
});

test("a publish without NATS fails at once, and one that hangs fails too", async () => {
  await connected();
  await nats.kill();
  await until("the loss to be noticed", () =>
    messaging.check().then(
      () => false,
      () => true,
    ),
  );
  const startedMs = performance.now();
  await expect(messaging.publish(confirmed(1))).rejects.toThrow(MessagingAwayError);
  expect(performance.now() - startedMs).toBeLessThan(100);

  await nats.start();
  await connected();
  await nats.freeze();
  await expect(messaging.publish(confirmed(1))).rejects.toThrow(MessagingAwayError);
  nats.thaw();
  await publishAtLast(confirmed(1));
});

test("nothing waits for NATS at a start, and consumers begin once it is there", async () => {
  await nats.kill();
  const startedMs = performance.now();
  const early = connectMessaging({ environment: nats.environmentOf("operator"), name: "early", log });
  const handled: string[] = [];
  early.consume({
    name: "reader",
    handlers: {
      async "order.confirmed.v1"({ data }) {
        handled.push(data.orderId);
      },
    },
  });
  expect(performance.now() - startedMs).toBeLessThan(100);
  await expect(early.check()).rejects.toThrow(MessagingAwayError);
  await nats.start();
  await publishAtLast(confirmed(1));
  await until("the event to be handled", () => handled.length === 1);
  await early.close();
});

test("streams and consumers that have vanished are made again", async () => {
  const handled: string[] = [];
  messaging.consume({
    name: "reader",
    ackWaitMs: 1000,
    handlers: {
      async "order.confirmed.v1"({ data }) {
        handled.push(data.orderId);
      },
    },
  });
  await publishAtLast(confirmed(1));
  await until("the first event to be handled", () => handled.includes("1"));
  await nats.kill();
  await nats.wipe();
  await nats.start();
  await publishAtLast(confirmed(2));
  await until("the event after the loss to be handled", () => handled.includes("2"));

  const operator = await nats.connect();
  await operator.manager.streams.delete("SHOP");
  warnings.length = 0;
  await publishAtLast(confirmed(3));
  expect(warnings).toContainEqual(expect.objectContaining({ stream: "SHOP" }));
  await until("the event after the deletion to be handled", () => handled.includes("3"));
  await operator.close();
});

test("the same event again is stored once", async () => {
  await publishAtLast(confirmed(1));
  const event = confirmed(2);
  await publishAtLast(event);
  await publishAtLast(event);
  const operator = await nats.connect();
  expect((await operator.manager.streams.info("SHOP")).state.messages).toBe(2);
  await operator.close();
});
