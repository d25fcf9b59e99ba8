import { afterEach, beforeEach, expect, test } from "vitest";
import { type NatsOperator, type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { connectMessaging, eventOf, type Handlers, type Messaging, partitionOf } from "./index.ts";

let nats: NatsServer;
let operator: NatsOperator;
const instances = new Set<Messaging>();
let handled: string[];

beforeEach(async () => {
  nats = await startNats();
  operator = await nats.connect();
  handled = [];
});

afterEach(async () => {
  await Promise.all([...instances].map((instance) => instance.close()));
  instances.clear();
  await operator?.close();
  await nats?.stop();
});

/** An instance of a release that handles these types; resolves once it has been heard of in every partition. */
async function start(...types: ("order.confirmed.v1" | "order.cancelled.v1")[]): Promise<Messaging> {
  const instance = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  instances.add(instance);
  const before = await waiting();
  const handlers: Handlers = Object.fromEntries(
    types.map((type) => [type, async () => void handled.push(type)]),
  );
  instance.consume({ name: "reader", handlers });
  await until("it to pull from every partition", async () => (await waiting()) === before + 8);
  return instance;
}

/** How many pulls wait in all partitions. */
async function waiting(): Promise<number> {
  const consumers = await operator.manager.consumers
    .list("SHOP")
    .next()
    .catch(() => []);
  return consumers.reduce((sum, { num_waiting }) => sum + num_waiting, 0);
}

async function stop(instance: Messaging): Promise<void> {
  instances.delete(instance);
  const before = await waiting();
  await instance.close();
  await until("its pulls to be gone", async () => (await waiting()) === before - 8);
}

const data = { orderId: "1", userId: 7 };
const confirmed = () => eventOf("order.confirmed.v1", { key: "7", source: "test", data });
const cancelled = () =>
  eventOf("order.cancelled.v1", { key: "7", source: "test", data: { ...data, reason: "changed my mind" } });

test("an older instance that restarts during an update does not make the newer ones miss events", async () => {
  const old = await start("order.confirmed.v1");
  const young = await start("order.confirmed.v1", "order.cancelled.v1");
  await stop(old);
  await start("order.confirmed.v1");
  await young.publish(cancelled());
  await young.publish(confirmed());
  await until("both events to be handled", () => handled.length === 2);
  expect(handled).toEqual(["order.cancelled.v1", "order.confirmed.v1"]);
});

test("a type that no release handles any more becomes a dead letter, once", async () => {
  await stop(await start("order.confirmed.v1", "order.cancelled.v1"));
  const instance = await start("order.confirmed.v1");
  await stop(instance);
  // As if it had been left to others for as long as an update may take.
  const durable = `reader-${partitionOf("7")}`;
  const publisher = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  instances.add(publisher);
  await until("the event to be published", async () => {
    await publisher.publish(cancelled());
    return true;
  });
  const pulled = await operator.manager.jetstream().consumers.get("SHOP", durable);
  for (let times = 0; times < 100; times++) {
    (await pulled.next())?.nak();
  }
  await start("order.confirmed.v1");
  await publisher.publish(cancelled());
  await publisher.publish(confirmed());
  await until("the other type to be handled", () => handled.length === 1);
  expect((await operator.manager.streams.info("SHOP_DLQ")).state.messages).toBe(1);
});
