import {
  type EventType,
  erasureHandler,
  type Handlers,
  type Messaging,
  type ShopEvent,
  schemas,
} from "@lab/messaging";
import { entryFor, type History } from "./history.ts";
import type { Sales } from "./sales.ts";

/** Everything that happens in the shop, but the answers to erasures: they would bring back what was erased. */
const recorded = (Object.keys(schemas) as EventType[]).filter(
  (type) => type !== "user.erased.v1" && type !== "user.data-erased.v1",
);

/** Records all events of the shop, and forgets people who are erased. */
export function eventHandlers(messaging: Messaging, name: string, history: History, sales: Sales): Handlers {
  const record = async (event: ShopEvent) => {
    await history.record(event.data.userId, entryFor(event));
    await sales.record(event);
  };
  return {
    ...(Object.fromEntries(recorded.map((type) => [type, record])) as Handlers),
    ...erasureHandler(messaging, name, (userId) => history.erase(userId)),
  };
}
