import { JetStreamApiError, type JetStreamPublishOptions } from "@nats-io/jetstream";
import { type Payload, PermissionViolationError } from "@nats-io/transport-node";
import type { Connection, Link } from "./connection.ts";
import { MessagingAwayError } from "./errors.ts";

/**
 * Publishes a message, and resolves once JetStream has acknowledged it. Nothing waits in the process for a server that
 * is away, so that the caller knows at once.
 *
 * @throws MessagingAwayError when there was no acknowledgement
 */
export async function publish(
  connection: Connection,
  subject: string,
  payload: Payload,
  options: Partial<JetStreamPublishOptions>,
): Promise<void> {
  const { link } = connection;
  if (!link) {
    throw new MessagingAwayError("NATS is not connected; the event is not published.");
  }
  try {
    await publishOn(link, subject, payload, options);
  } catch (error) {
    if (error instanceof PermissionViolationError || isRefusal(error)) {
      throw error;
    }
    throw new MessagingAwayError(
      `NATS has not acknowledged the event for ${subject}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

async function publishOn(
  link: Link,
  subject: string,
  payload: Payload,
  options: Partial<JetStreamPublishOptions>,
): Promise<void> {
  try {
    await link.client.publish(subject, payload, options);
  } catch (error) {
    // Nobody listens to the subject: the stream has vanished.
    if ((error as Error).name !== "JetStreamNotEnabled") {
      throw error;
    }
    await link.ensureStreams();
    await link.client.publish(subject, payload, options);
  }
}

/** Whether JetStream has looked at the message and will not have it, now or later. */
function isRefusal(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.status < 500;
}
