import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type NatsOperator, type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { connectMessaging, eventOf, type Messaging, type ShopEvent } from "./index.ts";

let nats: NatsServer;
let operator: NatsOperator;
let messaging: Messaging;

beforeAll(async () => {
  nats = await startNats();
  operator = await nats.connect();
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  await until("NATS to be connected", async () => {
    await messaging.check();
    return true;
  });
});

afterAll(async () => {
  await messaging?.close();
  await operator?.close();
  await nats?.stop();
});

beforeEach(async () => {
  await operator.manager.streams.purge("SHOP");
  await operator.manager.streams.purge("SHOP_DLQ");
});

function confirmed(orderId: string): ShopEvent<"order.confirmed.v1"> {
  return eventOf("order.confirmed.v1", { key: "7", source: "test", data: { orderId, userId: 7 } });
}

const deadLetters = async () => (await operator.manager.streams.info("SHOP_DLQ")).state.messages;

test("an event that can't be handled is tried five times, becomes a dead letter, and the next one goes on", async () => {
  const tried: string[] = [];
  const consumer = messaging.consume({
    name: "payment",
    handlers: {
      async "order.confirmed.v1"({ data }) {
        tried.push(data.orderId);
        if (data.orderId === "bad-order") {
          throw new TypeError(`can't charge ${data.orderId}`);
        }
      },
    },
  });
  const bad = confirmed("bad-order");
  await messaging.publish(bad);
  await messaging.publish(confirmed("good"));
  await until("the next event to be handled", () => tried.includes("good"));
  await consumer.close();

  expect(tried).toEqual([...Array.from({ length: 5 }, () => "bad-order"), "good"]);
  const letter = await operator.manager.streams.getMessage("SHOP_DLQ", { last_by_subj: "dlq.payment.>" });
  const header = (name: string) => letter?.header.get(name);
  expect(letter?.subject).toBe("dlq.payment.order.confirmed.v1");
  expect(letter?.json()).toEqual(bad.data);
  expect(header("ce-id")).toBe(bad.id);
  expect(header("lab-dead-subject")).toMatch(/^shop\.\d\.order\.confirmed\.v1$/);
  expect(header("lab-dead-sequence")).toMatch(/^\d+$/);
  expect(header("lab-dead-attempts")).toBe("5");
  expect(header("lab-dead-service")).toBe("payment");
  expect(header("lab-dead-reason")).toBe("TypeError: can't charge ?");
  const info = await operator.manager.consumers.info(
    "SHOP",
    `payment-${header("lab-dead-subject")?.split(".")[1]}`,
  );
  expect(info.num_ack_pending).toBe(0);
});

test("an event waits as long as what it needs is away, and is then handled once", async () => {
  let isAway = true;
  const tried: string[] = [];
  const consumer = messaging.consume({
    name: "waiting",
    isTransient: (error) => (error as Error).message === "away",
    handlers: {
      async "order.confirmed.v1"({ data }) {
        tried.push(data.orderId);
        if (isAway) {
          throw new Error("away");
        }
      },
    },
  });
  await messaging.publish(confirmed("1"));
  await messaging.publish(confirmed("2"));
  await until("more attempts than another error gets", () => tried.length > 5);
  isAway = false;
  await until("both to be handled", () => tried.includes("2"));
  await consumer.close();
  expect(tried.slice(0, -1).every((orderId) => orderId === "1")).toBe(true);
  expect(await deadLetters()).toBe(0);
});

test("what is no event becomes a dead letter at once, and no handler sees it", async () => {
  const tried: string[] = [];
  const consumer = messaging.consume({
    name: "reader",
    handlers: {
      async "order.confirmed.v1"({ data }) {
        tried.push(data.orderId);
      },
    },
  });
  await operator.publish("shop.0.order.confirmed.v1", "secret-4711");
  await until("the dead letter", async () => (await deadLetters()) === 1);
  await consumer.close();
  expect(tried).toEqual([]);
  const letter = await operator.manager.streams.getMessage("SHOP_DLQ", { last_by_subj: "dlq.>" });
  expect(letter?.header.get("lab-dead-reason")).toMatch(/ce-specversion/);
  expect(letter?.header.get("lab-dead-reason")).not.toContain("secret");
});

test("an event is kept where its dead letter can't be written", async () => {
  let attempts = 0;
  const consumer = messaging.consume({
    name: "payment",
    handlers: {
      async "order.confirmed.v1"() {
        attempts++;
        throw new Error("no");
      },
    },
  });
  await operator.manager.streams.update("SHOP_DLQ", { subjects: ["elsewhere.>"] });
  await messaging.publish(confirmed("bad-order"));
  await until("a second round of attempts", () => attempts > 5);
  await operator.manager.streams.update("SHOP_DLQ", { subjects: ["dlq.>"] });
  await until("the dead letter", async () => (await deadLetters()) === 1);
  await consumer.close();
});
