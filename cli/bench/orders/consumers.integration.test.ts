import { afterEach, beforeEach, expect, test } from "vitest";
import { connectMessaging, eventOf, type Messaging } from "../../../packages/messaging/src/index.ts";
import { type NatsOperator, type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { readQueue } from "../../queue/read.ts";
import { pauseConsumers } from "./consumers.ts";

let nats: NatsServer;
let operator: NatsOperator;
let messaging: Messaging;

beforeEach(async () => {
  nats = await startNats();
  operator = await nats.connect();
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  await until("the streams", async () => (await readQueue(operator.manager)).streams.length === 2);
});

afterEach(async () => {
  await messaging?.close();
  await operator?.close();
  await nats?.stop();
});

test("a service that is paused gets nothing of what is published", async () => {
  const handled: string[] = [];
  messaging.consume({
    name: "payment",
    handlers: {
      "order.confirmed.v1": async ({ data }) => {
        handled.push(data.orderId);
      },
    },
  });
  const confirm = (orderId: string) =>
    messaging.publish(
      eventOf("order.confirmed.v1", { key: "1", source: "test", data: { orderId, userId: 1 } }),
    );
  await confirm("before");
  await until("the event to be handled", () => handled.length === 1);
  await pauseConsumers(operator.manager);
  await confirm("after");
  await until("the event to wait", async () => {
    const [payment] = (await readQueue(operator.manager)).services;
    return payment?.pending === 1 && payment.ackPending === 0;
  });
  expect(handled).toEqual(["before"]);
});
