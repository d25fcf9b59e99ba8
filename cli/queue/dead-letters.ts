import { randomUUID } from "node:crypto";
import type { JetStreamManager, JsMsg, StoredMsg } from "@nats-io/jetstream";
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

const pageSize = 500;
/** How long a page is waited for when letters go while they are read. */
const pageMs = 1000;

/** All dead letters, oldest first. */
export async function readDeadLetters(manager: JetStreamManager): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  let { messages: pending } = await stateOf(manager);
  const consumer = pending > 0 ? await manager.jetstream().consumers.get(deadLetterStream) : undefined;
  while (consumer && pending > 0) {
    const page = await consumer.fetch({ max_messages: Math.min(pending, pageSize), expires: pageMs });
    pending = 0;
    for await (const message of page) {
      letters.push(letterOf(message, message.headers));
      pending = message.info.pending;
    }
  }
  return letters;
}

/** @throws LabError when there is none with this number */
export async function readDeadLetter(manager: JetStreamManager, sequence: number): Promise<DeadLetter> {
  const message = await read(manager, sequence);
  return letterOf(message, message.header);
}

/**
 * Publishes the event again where it was published, and removes the dead letter. It is the same event, for those that have
 * handled it; for the stream it is a new message.
 *
 * @throws LabError when there is none with this number
 */
export async function replay(manager: JetStreamManager, sequence: number): Promise<DeadLetter> {
  return await publishAgain(manager, await read(manager, sequence));
}

/** Replays those of the dead letters that are still there: another may have done so meanwhile, or they have grown too old. */
export async function replayThoseLeft(manager: JetStreamManager, sequences: number[]): Promise<DeadLetter[]> {
  const replayed: DeadLetter[] = [];
  for (const sequence of sequences) {
    const message = await find(manager, sequence);
    if (message) {
      replayed.push(await publishAgain(manager, message));
    }
  }
  return replayed;
}

async function publishAgain(manager: JetStreamManager, message: StoredMsg): Promise<DeadLetter> {
  const letter = letterOf(message, message.header);
  const kept = headers();
  for (const [name, values] of message.header) {
    if (!name.startsWith("lab-dead-") && !name.startsWith("Nats-")) {
      kept.set(name, values[0] ?? "");
    }
  }
  await manager.jetstream().publish(letter.subject, message.data, { msgID: randomUUID(), headers: kept });
  await manager.streams.deleteMessage(deadLetterStream, letter.sequence);
  return letter;
}

/** How many there are, and the newest's number; none where no service has made the stream yet. */
async function stateOf(manager: JetStreamManager): Promise<{ messages: number; last_seq: number }> {
  try {
    return (await manager.streams.info(deadLetterStream)).state;
  } catch (error) {
    if (isStreamMissing(error)) {
      return { messages: 0, last_seq: 0 };
    }
    throw error;
  }
}

async function find(manager: JetStreamManager, sequence: number): Promise<StoredMsg | undefined> {
  const { last_seq } = await stateOf(manager);
  const message =
    sequence <= last_seq ? await manager.streams.getMessage(deadLetterStream, { seq: sequence }) : undefined;
  return message ?? undefined;
}

async function read(manager: JetStreamManager, sequence: number): Promise<StoredMsg> {
  const message = await find(manager, sequence);
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

function letterOf(message: StoredMsg | JsMsg, its = headers()): DeadLetter {
  const header = (name: string) => its.get(name);
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

function dataOf(message: StoredMsg | JsMsg): unknown {
  try {
    return message.json();
  } catch {
    return message.string();
  }
}
