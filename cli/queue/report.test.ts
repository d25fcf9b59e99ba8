import type { ConsumerInfo, StreamInfo } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { reportOf } from "./report.ts";

const consumer = (name: string, pending: number, ackPending = 0, redelivered = 0) =>
  ({
    name,
    num_pending: pending,
    num_ack_pending: ackPending,
    num_redelivered: redelivered,
    num_waiting: 2,
  }) as ConsumerInfo;

const stream = (name: string, messages: number) =>
  ({
    config: { name },
    state: { messages, bytes: messages * 100, consumer_count: 1, last_ts: "2026-01-02T03:04:05.678901Z" },
  }) as StreamInfo;

test("adds up each service's partitions, and keeps them apart in the list", () => {
  const { consumers, services } = reportOf(
    [],
    [consumer("user-10", 1), consumer("user-2", 4, 1, 1), consumer("payment-provider-0", 7)],
  );
  expect(services).toEqual([
    { service: "payment-provider", pending: 7, ackPending: 0, redelivered: 0, waiting: 2 },
    { service: "user", pending: 5, ackPending: 1, redelivered: 1, waiting: 4 },
  ]);
  expect(consumers.map(({ service, partition }) => `${service} ${partition}`)).toEqual([
    "payment-provider 0",
    "user 2",
    "user 10",
  ]);
});

test("an empty stream has no newest message", () => {
  const [empty, full] = reportOf([stream("SHOP_DLQ", 0), stream("SHOP", 3)], []).streams;
  expect(empty).toEqual({ name: "SHOP_DLQ", messages: 0, bytes: 0, consumers: 1 });
  expect(full?.newest).toBe("2026-01-02T03:04:05.678Z");
});
