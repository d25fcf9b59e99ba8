import { eventOf, stableId } from "./event.ts";
import type { Handlers, Messaging } from "./messaging.ts";

/**
 * Handles `user.erased.v1` for a service whose store knows no outbox: erases, then says so in `user.data-erased.v1`, before the
 * event is acknowledged. When that is cut short the person is erased again, and the answer, which is the same event, may say
 * that fewer records were there.
 *
 * @param erase removes everything that says something about the person, and gives the number of records that it has removed
 */
export function erasureHandler(
  messaging: Messaging,
  service: string,
  erase: (userId: number) => Promise<number>,
): Pick<Handlers, "user.erased.v1"> {
  return {
    async "user.erased.v1"({ key, data: { userId, erasureId } }) {
      const records = await erase(userId);
      await messaging.publish(
        eventOf("user.data-erased.v1", {
          id: stableId("user.data-erased.v1", erasureId, service),
          key,
          source: service,
          data: { userId, erasureId, service, records },
        }),
      );
    },
  };
}
