import { type DataOf, type EventType, eventOf, type ShopEvent } from "@lab/messaging";
import { currentWork } from "@lab/service-kit";

/** The service in its events, and its consumers' name: the same for every job that runs it, so that they share the events. */
export const source = "notification";

/** An event for the outbox, of the work that causes it. */
export function announce<T extends EventType>(type: T, data: DataOf<T> & { userId: number }): ShopEvent<T> {
  return eventOf(type, {
    key: String(data.userId),
    source,
    data,
    traceparent: currentWork()?.traceparent,
  });
}
