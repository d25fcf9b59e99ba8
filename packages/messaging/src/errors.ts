/** NATS has not acknowledged an event: it may be stored or not. Publish the same event again, with the same id. */
export class MessagingAwayError extends Error {
  override name = "MessagingAwayError";
}
