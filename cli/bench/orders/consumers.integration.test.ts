import { afterEach, beforeEach, expect, test } from "vitest";
import { connectMessaging, eventOf, type Messaging } from "../../../packages/messaging/src/index.ts";
import { type NatsOperator, type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { readQueue } from "../../queue/read.ts";
import { untilConsumersIdle, whileConsumersPause } from "./consumers.ts";

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

const { signal } = new AbortController();

/** Has payment handle events so. */
async function consume(handle: () => Promise<void>): Promise<void> {
  messaging.consume({ name: "payment", handlers: { "order.confirmed.v1": handle } });
  await until("the consumers", async () => (await readQueue(operator.manager)).services.length === 1);
}

async function publishFive(): Promise<void> {
  for (let userId = 1; userId <= 5; userId++) {
    await messaging.publish(
      eventOf("order.confirmed.v1", {
        key: String(userId),
        source: "test",
        data: { orderId: `order-${userId}`, userId },
      }),
    );
  }
}

test("while services pause they get nothing; waiting for them tells how much is left, until all is handled", async () => {
  let handled = 0;
  await consume(async () => {
    handled += 1;
  });
  const left: number[] = [];
  const onProgress = (count: number) => left.push(count);
  await whileConsumersPause(operator.manager, async () => {
    await publishFive();
    const stuck = untilConsumersIdle(operator.manager, { onProgress, signal, patienceMs: 600 });
    await expect(stuck).rejects.toThrow("some wait for payment (5)");
    expect(handled).toBe(0);
  });
  await untilConsumersIdle(operator.manager, { onProgress, signal });
  expect(left[0]).toBe(5);
  expect(handled).toBe(5);
});
