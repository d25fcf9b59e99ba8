import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { eventOf, type ShopEvent } from "./event.ts";
import { isEventType, schemas } from "./event-types.ts";

const specVersion = "1.0";
const typePrefix = "shop.";

/** A message that is no event of the shop. What it says of the message is which rule is broken, never the data. */
export class UnreadableEventError extends Error {
  override name = "UnreadableEventError";
}

/** An event as a NATS message in CloudEvents' binary mode: its attributes are headers, its data is the payload. */
export function encodeEvent(event: ShopEvent): { headers: MsgHdrs; payload: string } {
  const encoded = headers();
  const attributes = {
    "ce-specversion": specVersion,
    "ce-id": event.id,
    "ce-type": `${typePrefix}${event.type}`,
    "ce-source": event.source,
    "ce-subject": event.key,
    "ce-time": event.time,
    "content-type": "application/json",
    ...(event.traceparent ? { traceparent: event.traceparent } : {}),
  };
  for (const [name, value] of Object.entries(attributes)) {
    encoded.append(name, encodeHeader(value));
  }
  return { headers: encoded, payload: JSON.stringify(event.data) };
}

/**
 * The event of a NATS message.
 *
 * @throws UnreadableEventError for a message that is none
 */
export function decodeEvent(message: { headers?: MsgHdrs; data: Uint8Array }): ShopEvent {
  const header = (name: string) => decodeHeader(message.headers?.get(name) ?? "");
  if (header("ce-specversion") !== specVersion) {
    throw new UnreadableEventError(`It has no header ce-specversion of ${specVersion}.`);
  }
  const type = header("ce-type").slice(typePrefix.length);
  if (!header("ce-type").startsWith(typePrefix) || !isEventType(type)) {
    throw new UnreadableEventError("Its type is not known here.");
  }
  try {
    return eventOf(type, {
      id: header("ce-id"),
      source: header("ce-source"),
      key: header("ce-subject"),
      time: header("ce-time"),
      traceparent: header("traceparent"),
      data: schemas[type].parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(message.data))),
    });
  } catch (error) {
    throw new UnreadableEventError(`It does not fit the schema of ${type}: ${complaintOf(error)}.`);
  }
}

/** Headers are ASCII: CloudEvents' HTTP binding, 3.1.3.2, writes anything else as `%` and the bytes of UTF-8. */
function encodeHeader(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]/gu, (character) =>
    Array.from(
      new TextEncoder().encode(character),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    ).join(""),
  );
}

function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new UnreadableEventError("A header is not percent-encoded as CloudEvents has it.");
  }
}

function complaintOf(error: unknown): string {
  const { issues } = error as { issues?: { path: PropertyKey[]; code: string }[] };
  return issues ? issues.map(({ path, code }) => `${path.join(".")} ${code}`).join(", ") : "no JSON in UTF-8";
}
