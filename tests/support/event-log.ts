import {
  connectMessaging,
  type DataOf,
  type EventType,
  eventOf,
  type Handlers,
  type Messaging,
  type ShopEvent,
  schemas,
} from "@lab/messaging";
import type { NatsServer } from "../servers/nats.ts";
import { silentLog } from "./silent-log.ts";

/** The events of a NATS server: all that are published, and a way to publish more. */
export class EventLog {
  readonly #messaging: Messaging;
  /** In order for each key. */
  readonly events: ShopEvent[] = [];

  /** Begins to listen. */
  constructor(nats: NatsServer) {
    this.#messaging = connectMessaging({
      environment: nats.environmentOf("operator"),
      name: "test",
      log: silentLog,
    });
    const keep = async (event: ShopEvent) => {
      this.events.push(event);
    };
    this.#messaging.consume({
      name: "test",
      handlers: Object.fromEntries(Object.keys(schemas).map((type) => [type, keep])) as Handlers,
    });
  }

  /** Publishes an event about a user as some service would. */
  async publish<T extends EventType>(
    type: T,
    data: DataOf<T> & { userId: number },
    id?: string,
    time?: string,
  ): Promise<void> {
    const event = eventOf(type, { key: String(data.userId), data, source: "test", id, time });
    await this.#messaging.publish(event as ShopEvent);
  }

  /** The types of what a service has published about an order, in order. */
  ofOrder(orderId: string, source: string): string[] {
    return this.events
      .filter((event) => event.source === source && "orderId" in event.data && event.data.orderId === orderId)
      .map(({ type }) => type);
  }

  close(): Promise<void> {
    return this.#messaging.close();
  }
}
