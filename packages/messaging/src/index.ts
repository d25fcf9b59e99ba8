export { UnreadableEventError } from "./cloud-event.ts";
export { type MessagingEnvironment, messagingEnvironment } from "./environment.ts";
export { erasureHandler } from "./erasure.ts";
export { MessagingAwayError } from "./errors.ts";
export { type EventParts, eventOf, partitionOf, type ShopEvent, stableId, subjectOf } from "./event.ts";
export { type DataOf, type EventType, schemas } from "./event-types.ts";
export {
  type ConsumeOptions,
  type Consumer,
  connectMessaging,
  type Handlers,
  type Messaging,
} from "./messaging.ts";
export { partitions } from "./names.ts";
