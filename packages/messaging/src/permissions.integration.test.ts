import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { connectMessaging, eventOf, type Messaging } from "./index.ts";
import { permissionsOf } from "./permissions.ts";

const users = {
  order: permissionsOf({ name: "order", publishes: ["order.placed.v1", "order.confirmed.v1"], consumes: [] }),
  payment: permissionsOf({
    name: "payment",
    publishes: ["payment.voided.v1"],
    consumes: ["order.confirmed.v1"],
  }),
};

let nats: NatsServer;
const connections: Messaging[] = [];

beforeAll(async () => {
  nats = await startNats(users);
});

afterAll(async () => {
  await Promise.all(connections.map((messaging) => messaging.close()));
  await nats?.stop();
});

async function connectAs(name: string): Promise<Messaging> {
  const messaging = connectMessaging({ environment: nats.environmentOf(name), name, log });
  connections.push(messaging);
  await until(`${name} to be connected`, async () => {
    await messaging.check();
    return true;
  });
  return messaging;
}

const person = { key: "7", source: "test" };
const confirmed = (orderId: string) =>
  eventOf("order.confirmed.v1", { ...person, data: { orderId, userId: 7 } });

test("a service can make the streams, publish its types, handle others, and write dead letters", async () => {
  const payment = await connectAs("payment");
  const order = await connectAs("order");
  const handled: string[] = [];
  payment.consume({
    name: "payment",
    handlers: {
      async "order.confirmed.v1"({ data }) {
        handled.push(data.orderId);
        if (data.orderId === "bad-order") {
          throw new Error("no");
        }
        await payment.publish(eventOf("payment.voided.v1", { ...person, data }));
      },
    },
  });
  await order.publish(confirmed("good-order"));
  await order.publish(confirmed("bad-order"));
  const operator = await nats.connect();
  await until("the dead letter", async () => {
    return (await operator.manager.streams.info("SHOP_DLQ")).state.messages === 1;
  });
  expect(handled[0]).toBe("good-order");
  expect((await operator.manager.streams.info("SHOP")).state.messages).toBe(3);
  await operator.close();
});

test("a service can't publish another's types, in no partition", async () => {
  const order = await connectAs("order");
  const foreign = eventOf("payment.voided.v1", { ...person, data: { orderId: "1", userId: 7 } });
  await expect(order.publish(foreign)).rejects.toThrow(/Permissions Violation/);
});

test.each([
  "dlq.payment.order.confirmed.v1",
  "$JS.ACK.SHOP.payment-3.1.1.1.1.0",
  "$JS.API.CONSUMER.MSG.NEXT.SHOP.payment-3",
  "$JS.API.STREAM.DELETE.SHOP",
  "$JS.API.STREAM.MSG.GET.SHOP",
  "$JS.API.STREAM.PURGE.SHOP",
  "$JS.API.CONSUMER.DELETE.SHOP.payment-3",
])("a service can't publish to %s", async (subject) => {
  const { NATS_URL, NATS_USER, NATS_PASSWORD } = nats.environmentOf("order");
  const connection = await connect({
    servers: NATS_URL,
    user: NATS_USER,
    pass: NATS_PASSWORD,
    inboxPrefix: "_INBOX_order",
  });
  await expect(connection.request(subject, "", { timeout: 2000 })).rejects.toThrow(/Permissions Violation/);
  await connection.close();
});

test.each(["shop.>", "_INBOX_payment.>", "dlq.>", ">"])("a service can't listen to %s", async (subject) => {
  const { NATS_URL, NATS_USER, NATS_PASSWORD } = nats.environmentOf("order");
  const connection = await connect({ servers: NATS_URL, user: NATS_USER, pass: NATS_PASSWORD });
  expect(String(await connection.subscribe(subject).closed)).toMatch(/Permissions Violation/);
  await connection.close();
});
