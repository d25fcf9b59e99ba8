import { hash, randomUUID } from "node:crypto";
import { currentWork } from "@lab/service-kit";
import { z } from "zod";
import { type DataOf, type EventType, schemas } from "./event-types.ts";
import { partitions, subjectIn } from "./names.ts";

/** Something that has happened in the shop: a CloudEvent (https://github.com/cloudevents/spec) in the lab's words. */
export type ShopEvent<T extends EventType = EventType> = T extends EventType
  ? {
      /** The same for every repeat of the event. */
      id: string;
      type: T;
      /** The service that says so. */
      source: string;
      /** Events with the same key are handled in order: the user's id. */
      key: string;
      /** When it happened, in ISO 8601. */
      time: string;
      /** The trace that it belongs to (https://www.w3.org/TR/trace-context/). */
      traceparent?: string;
      data: DataOf<T>;
    }
  : never;

/** What an event is made of besides its type. */
export interface EventParts<T extends EventType> {
  key: string;
  data: DataOf<T>;
  source: string;
  /** By default that of the work that makes the event. */
  traceparent?: string;
  /** By default a new one; give a {@link stableId} where a repeat must be the same event. */
  id?: string;
  time?: string;
}

/** Visible ASCII, so that it can be an id in every store. */
const envelope = z.object({
  id: z.string().regex(/^[!-~]{1,100}$/),
  source: z.string().min(1).max(100),
  key: z.string().min(1).max(100),
  time: z.iso.datetime(),
  traceparent: z.string().max(200).optional(),
});

/**
 * An event, checked against the schema of its type.
 *
 * @throws z.ZodError that says which member is wrong
 */
export function eventOf<T extends EventType>(type: T, parts: EventParts<T>): ShopEvent<T> {
  const { id = randomUUID(), time = new Date().toISOString(), source, key } = parts;
  const traceparent = parts.traceparent ?? currentWork()?.traceparent;
  return {
    ...envelope.parse({ id, source, key, time, ...(traceparent ? { traceparent } : {}) }),
    type,
    data: schemas[type].parse(parts.data),
  } as ShopEvent<T>;
}

/** An id that is the same for the same parts: `stableId("stock.reserved.v1", orderId)`. A UUID of version 8 (RFC 9562). */
export function stableId(...parts: string[]): string {
  const digest = hash("sha256", JSON.stringify(parts), "buffer");
  digest[6] = ((digest[6] as number) & 0x0f) | 0x80;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  const hex = digest.toString("hex", 0, 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The partition of a key, from 0; the same everywhere and for ever. */
export function partitionOf(key: string): number {
  return hash("sha256", key, "buffer").readUInt32BE() % partitions;
}

/** Where an event is published: `shop.3.order.placed.v1`. */
export function subjectOf({ key, type }: Pick<ShopEvent, "key" | "type">): string {
  return subjectIn(partitionOf(key), type);
}
