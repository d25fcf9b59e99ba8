import type { JetStreamManager } from "@nats-io/jetstream";
import { shopStream } from "../../../packages/messaging/src/names.ts";
import { readConsumers } from "../../queue/read.ts";

/** Longer than any measurement. */
const pausedForMs = 60 * 60 * 1000;

/** Lets no service get events from here on: they wait in their stream. */
export async function pauseConsumers(manager: JetStreamManager): Promise<void> {
  for (const { name } of await readConsumers(manager)) {
    await manager.consumers.pause(shopStream, name, new Date(Date.now() + pausedForMs));
  }
}
