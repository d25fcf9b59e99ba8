import type { ConsumerInfo, JetStreamManager } from "@nats-io/jetstream";
import { deadLetterStream, shopStream } from "../../packages/messaging/src/names.ts";
import { type QueueReport, reportOf } from "./report.ts";

/** Reads the shop's streams; those that nobody has made yet are left out. */
export async function readQueue(manager: JetStreamManager): Promise<QueueReport> {
  const all = await collect(manager.streams.list());
  const streams = all.filter(({ config }) => [shopStream, deadLetterStream].includes(config.name));
  const isThere = streams.some(({ config }) => config.name === shopStream);
  return reportOf(streams, isThere ? await readConsumers(manager) : []);
}

/** The services' consumers of the shop's events, as the server has them; who only looks on has none that lasts. */
export async function readConsumers(manager: JetStreamManager): Promise<ConsumerInfo[]> {
  const all = await collect(manager.consumers.list(shopStream));
  return all.filter(({ config }) => config.durable_name !== undefined);
}

async function collect<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) {
    items.push(item);
  }
  return items;
}
