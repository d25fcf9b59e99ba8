import { headers } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deadLetterHeaders } from "../../packages/messaging/src/dead-letter.ts";
import { connectMessaging, eventOf, type Messaging } from "../../packages/messaging/src/index.ts";
import { type NatsOperator, type NatsServer, startNats } from "../../tests/servers/nats.ts";
import { silentLog as log } from "../../tests/support/silent-log.ts";
import { until } from "../../tests/support/until.ts";
import { readDeadLetter, readDeadLetters, replay, replayThoseLeft } from "./dead-letters.ts";
import { readQueue } from "./read.ts";

let nats: NatsServer;
let operator: NatsOperator;
let messaging: Messaging | undefined;

beforeAll(async () => {
  nats = await startNats();
  operator = await nats.connect();
});

afterAll(async () => {
  await messaging?.close();
  await operator?.close();
  await nats?.stop();
});

const confirmed = (orderId: string) =>
  eventOf("order.confirmed.v1", { key: "7", source: "test", data: { orderId, userId: 7 } });

test("a server on which nobody has made the streams has no queue, and no dead letters", async () => {
  expect(await readQueue(operator.manager)).toEqual({ streams: [], consumers: [], services: [] });
  expect(await readDeadLetters(operator.manager)).toEqual([]);
  await expect(readDeadLetter(operator.manager, 1)).rejects.toThrow("There is no dead letter 1.");
});

test("a dead letter can be looked at, and its event handled at last", async () => {
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  await until("the streams", async () => (await readQueue(operator.manager)).streams.length === 2);
  expect(await readDeadLetters(operator.manager)).toEqual([]);
  // Somebody who looks on is no service.
  await operator.manager.consumers.add("SHOP", { ack_policy: "none" });
  expect((await readQueue(operator.manager)).services).toEqual([]);
  let isMended = false;
  const handled: string[] = [];
  messaging.consume({
    name: "payment",
    handlers: {
      async "order.confirmed.v1"({ id }) {
        if (!isMended) {
          throw new Error("broken");
        }
        handled.push(id);
      },
    },
  });
  const event = confirmed("order-4711");
  await until("the event to be published", async () => {
    await messaging?.publish(event);
    return true;
  });
  await until("the dead letter", async () => (await readDeadLetters(operator.manager)).length === 1);

  const [letter] = await readDeadLetters(operator.manager);
  expect(letter).toMatchObject({
    sequence: 1,
    service: "payment",
    id: event.id,
    type: "order.confirmed.v1",
    key: "7",
    attempts: 5,
    reason: "Error: broken",
    data: event.data,
  });
  expect(await readDeadLetter(operator.manager, 1)).toEqual(letter);

  isMended = true;
  expect(await replay(operator.manager, 1)).toEqual(letter);
  await until("the event to be handled", () => handled.length === 1);
  expect(handled).toEqual([event.id]);
  expect(await readDeadLetters(operator.manager)).toEqual([]);
  await expect(replay(operator.manager, 1)).rejects.toThrow("There is no dead letter 1.");
});

test("the queue says what waits for a service, and what it has in hand", async () => {
  let isHeld = true;
  messaging?.consume({
    name: "notification",
    handlers: {
      async "order.cancelled.v1"() {
        await until("the test to go on", () => !isHeld);
      },
    },
  });
  const data = { orderId: "1", userId: 7, reason: "changed my mind" };
  for (let number = 0; number < 3; number++) {
    await messaging?.publish(eventOf("order.cancelled.v1", { key: "7", source: "test", data }));
  }
  const notification = async () =>
    (await readQueue(operator.manager)).services.find(({ service }) => service === "notification");
  await until("one to be in hand", async () => {
    const { pending, ackPending } = (await notification()) ?? {};
    return pending === 2 && ackPending === 1;
  });
  isHeld = false;
  await until("all to be handled", async () => {
    const { pending, ackPending } = (await notification()) ?? {};
    return pending === 0 && ackPending === 0;
  });
});

test("more dead letters than a page are listed in their order, and one that has gone does not keep the others", async () => {
  const letters = 520;
  const its = headers();
  its.set(deadLetterHeaders.subject, "shop.0.nobody.hears");
  for (let number = 1; number <= letters; number++) {
    await operator.manager.jetstream().publish("dlq.social.nobody.hears", String(number), { headers: its });
  }
  const listed = await readDeadLetters(operator.manager);
  expect(listed.map(({ data }) => data)).toEqual(Array.from({ length: letters }, (_, index) => index + 1));

  const [first, second, third] = listed.map(({ sequence }) => sequence) as [number, number, number];
  await operator.manager.streams.deleteMessage("SHOP_DLQ", second);
  expect((await readDeadLetters(operator.manager)).length).toBe(letters - 1);
  const left = await replayThoseLeft(operator.manager, [first, second, third]);
  expect(left.map(({ sequence }) => sequence)).toEqual([first, third]);
  expect((await readDeadLetters(operator.manager)).length).toBe(letters - 3);
});
