import { randomUUID } from "node:crypto";
import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { deadLetterHeaders } from "../../packages/messaging/src/dead-letter.ts";
import { deadLetterStream } from "../../packages/messaging/src/names.ts";
import { isStreamMissing } from "../../packages/messaging/src/streams.ts";
import { LabError } from "../errors.ts";

/** An event that a service has given up. */
export interface DeadLetter {
  /** Its number among the dead letters. */
  sequence: number;
  /** The service that could not handle it. */
  service: string;
  /** When it was given up, in ISO 8601. */
  time: string;
  /** The event. */
  id: string;
  type: string;
  key: string;
  /** Where it was published, and its number there. */
  subject: string;
  subjectSequence: number;
  attempts: number;
  reason: string;
  /** Its data as it came: text, where it is no JSON. */
  data: unknown;
}

/** All dead letters, oldest first. */
export async function readDeadLetters(manager: JetStreamManager): Promise<DeadLetter[]> {
  const { first_seq, last_seq } = await rangeOf(manager);
  const letters: DeadLetter[] = [];
  // A stream that has never held anything calls its first number 0, and there is none.
  for (let sequence = Math.max(1, first_seq); sequence <= last_seq; sequence++) {
    const message = await manager.streams.getMessage(deadLetterStream, { seq: sequence });
    if (message) {
      letters.push(letterOf(message));
    }
  }
  return letters;
}

/** @throws LabError when there is none with this number */
export async function readDeadLetter(manager: JetStreamManager, sequence: number): Promise<DeadLetter> {
  return letterOf(await read(manager, sequence));
}

/**
 * Publishes the event again where it was published, and removes the dead letter. It is the same event, for those that have
 * handled it; for the stream it is a new message.
 *
 * @throws LabError when there is none with this number
 */
export async function replay(manager: JetStreamManager, sequence: number): Promise<DeadLetter> {
  const message = await read(manager, sequence);
  const letter = letterOf(message);
  const kept = headers();
  for (const [name, values] of message.header) {
    if (!name.startsWith("lab-dead-") && !name.startsWith("Nats-")) {
      kept.set(name, values[0] ?? "");
    }
  }
  await manager.jetstream().publish(letter.subject, message.data, { msgID: randomUUID(), headers: kept });
  await manager.streams.deleteMessage(deadLetterStream, sequence);
  return letter;
}

/** The numbers of the oldest and the newest; none where no service has made the stream yet. */
async function rangeOf(manager: JetStreamManager): Promise<{ first_seq: number; last_seq: number }> {
  try {
    return (await manager.streams.info(deadLetterStream)).state;
  } catch (error) {
    if (isStreamMissing(error)) {
      return { first_seq: 1, last_seq: 0 };
    }
    throw error;
  }
}

async function read(manager: JetStreamManager, sequence: number): Promise<StoredMsg> {
  const { last_seq } = await rangeOf(manager);
  const message =
    sequence <= last_seq ? await manager.streams.getMessage(deadLetterStream, { seq: sequence }) : undefined;
  if (!message) {
    throw new LabError(
      "usage",
      "no-such-letter",
      `There is no dead letter ${sequence}.`,
      "./lab dlq list shows those that there are.",
    );
  }
  return message;
}

function letterOf(message: StoredMsg): DeadLetter {
  const header = (name: string) => message.header.get(name);
  return {
    sequence: message.seq,
    service: header(deadLetterHeaders.service),
    time: header(deadLetterHeaders.time),
    id: header("ce-id"),
    type: message.subject.split(".").slice(2).join("."),
    key: header("ce-subject"),
    subject: header(deadLetterHeaders.subject),
    subjectSequence: Number(header(deadLetterHeaders.sequence)),
    attempts: Number(header(deadLetterHeaders.attempts)),
    reason: header(deadLetterHeaders.reason),
    data: dataOf(message),
  };
}

function dataOf(message: StoredMsg): unknown {
  try {
    return message.json();
  } catch {
    return message.string();
  }
}
