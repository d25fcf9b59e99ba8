import type { JsMsg } from "@nats-io/jetstream";
import { type MsgHdrs, headers as newHeaders } from "@nats-io/transport-node";

/** Headers that a dead letter has besides the event's own. */
export const deadLetterHeaders = {
  subject: "lab-dead-subject",
  sequence: "lab-dead-sequence",
  reason: "lab-dead-reason",
  attempts: "lab-dead-attempts",
  service: "lab-dead-service",
  time: "lab-dead-time",
} as const;

const maxReasonLength = 300;

/** The headers of an event's dead letter. */
export function deadLetterHeadersOf(
  message: Pick<JsMsg, "headers" | "subject" | "seq" | "data">,
  service: string,
  reason: unknown,
  attempts: number,
): MsgHdrs {
  const result = newHeaders();
  for (const [name, values] of message.headers ?? []) {
    if (!name.startsWith("Nats-")) {
      result.set(name, values[0] ?? "");
    }
  }
  result.set(deadLetterHeaders.subject, message.subject);
  result.set(deadLetterHeaders.sequence, String(message.seq));
  result.set(deadLetterHeaders.reason, reasonOf(reason, message.data));
  result.set(deadLetterHeaders.attempts, String(attempts));
  result.set(deadLetterHeaders.service, service);
  result.set(deadLetterHeaders.time, new Date().toISOString());
  return result;
}

/**
 * What went wrong, on one line, without the event's own values: errors of databases quote them, and they may be someone's
 * address.
 */
export function reasonOf(error: unknown, payload: Uint8Array): string {
  const { name, code, message } = (error ?? {}) as { name?: string; code?: string; message?: string };
  const words = [name ?? "Error", code, message ?? String(error)].filter(Boolean).join(": ");
  const hidden = valuesOf(payload).reduce((text, value) => text.replaceAll(value, "?"), words);
  return hidden
    .replace(/[^\x21-\x7e]+/g, " ")
    .trim()
    .slice(0, maxReasonLength);
}

/** The texts and numbers in the payload that are long enough to tell something, longest first. */
function valuesOf(payload: Uint8Array): string[] {
  const values: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "object" && value !== null) {
      Object.values(value).forEach(collect);
    } else {
      values.push(String(value));
    }
  };
  try {
    collect(JSON.parse(new TextDecoder().decode(payload)));
  } catch {
    return [];
  }
  return values.filter((value) => value.length >= 3).sort((one, other) => other.length - one.length);
}
