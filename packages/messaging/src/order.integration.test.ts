import { afterEach, beforeEach, expect, test } from "vitest";
import { type NatsServer, startNats } from "../../../tests/servers/nats.ts";
import { type Journal, type Note, openJournal } from "../../../tests/support/journal.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { until } from "../../../tests/support/until.ts";
import { connectMessaging, eventOf, type Messaging, partitionOf } from "./index.ts";

let nats: NatsServer;
let journal: Journal;
let messaging: Messaging;

beforeEach(async () => {
  nats = await startNats();
  journal = openJournal(nats);
  messaging = connectMessaging({ environment: nats.environmentOf("operator"), name: "test", log });
  await until("NATS to be connected", async () => {
    await messaging.check();
    return true;
  });
});

afterEach(async () => {
  await messaging?.close();
  await journal?.stop();
  await nats?.stop();
});

async function publish(orderId: number, userId: number): Promise<void> {
  const data = { orderId: String(orderId), userId };
  await messaging.publish(eventOf("order.confirmed.v1", { key: String(userId), source: "test", data }));
}

const notesOf = (what: Note["what"]) => journal.notes().filter((note) => note.what === what);

function doneWith(count: number): () => boolean {
  return () => new Set(notesOf("done").map(({ orderId }) => orderId)).size === count;
}

test("each person's events are handled in order by several instances, through failures and a kill", async () => {
  const instance = { handleMs: 4, ackWaitMs: 1000 };
  const doomed = journal.startConsumer(instance);
  journal.startConsumer(instance);
  const published: number[] = [];
  for (let orderId = 1; orderId <= 300; orderId++) {
    await publish(orderId, 1 + (orderId % 20));
    published.push(orderId);
    if (orderId === 150) {
      await until("both instances to work", () => new Set(notesOf("done").map(({ pid }) => pid)).size === 2);
      await doomed.kill();
      journal.startConsumer(instance);
    }
  }
  await until("all events to be handled", doneWith(published.length), 60_000);

  expect(new Set(notesOf("done").map(({ pid }) => pid)).size).toBe(3);
  expect(notesOf("fail").length).toBeGreaterThan(20);
  expectOrder(published);
});

/** An event begins only once those before it in its partition are done, whoever handles them and however often. */
function expectOrder(published: number[]): void {
  const partitionOfOrder = (orderId: string) => partitionOf(String(1 + (Number(orderId) % 20)));
  const done = new Set<string>();
  for (const { what, orderId } of journal.notes()) {
    if (what === "begin") {
      const earlier = published
        .filter((other) => other < Number(orderId))
        .map(String)
        .filter((other) => partitionOfOrder(other) === partitionOfOrder(orderId));
      expect(
        earlier.filter((other) => !done.has(other)),
        `before ${orderId}`,
      ).toEqual([]);
    } else if (what === "done") {
      done.add(orderId);
    }
  }
}

test("a killed instance's event goes to another within the wait, and the next one after it", async () => {
  const ackWaitMs = 2000;
  const doomed = journal.startConsumer({ handleMs: 60_000, ackWaitMs });
  await publish(1, 7);
  await publish(2, 7);
  await until("the event to be in hand", () => notesOf("begin").length === 1);
  const other = journal.startConsumer({ handleMs: 10, ackWaitMs });
  await doomed.kill();
  const killedAtMs = Date.now();
  await until("both events to be handled", doneWith(2));

  const taken = notesOf("begin").filter(({ pid }) => pid === other.pid);
  expect(taken.map(({ orderId }) => orderId)).toEqual(["1", "2"]);
  expect((taken[0] as Note).atMs - killedAtMs).toBeLessThan(ackWaitMs + 1000);
});

test("an event that takes longer than the wait stays with its instance, and the next one waits", async () => {
  const instance = { handleMs: 3000, ackWaitMs: 600 };
  journal.startConsumer(instance);
  journal.startConsumer(instance);
  await publish(1, 7);
  await publish(2, 7);
  await until("both events to be handled", doneWith(2));

  expect(journal.notes().map(({ what, orderId }) => `${what} ${orderId}`)).toEqual([
    "begin 1",
    "done 1",
    "begin 2",
    "done 2",
  ]);
});

test("an instance that was frozen does not answer for an event that another has by now", async () => {
  const frozen = journal.startConsumer({ handleMs: 600, ackWaitMs: 1500 });
  await publish(1, 7);
  await publish(2, 7);
  await until("the event to be in hand", () => notesOf("begin").length === 1);
  await frozen.freeze();
  const other = journal.startConsumer({ handleMs: 3000, ackWaitMs: 1500 });
  await until("the other to have it", () => notesOf("begin").length === 2);
  frozen.thaw();
  await until("both events to be handled", doneWith(2));

  const second = notesOf("begin").find(({ orderId }) => orderId === "2") as Note;
  const firstByOther = notesOf("done").find(
    ({ pid, orderId }) => pid === other.pid && orderId === "1",
  ) as Note;
  expect(notesOf("done").some(({ pid, orderId }) => pid === frozen.pid && orderId === "1")).toBe(true);
  expect(second.atMs).toBeGreaterThanOrEqual(firstByOther.atMs);
});

test("an instance that is told to end finishes what it has in hand, and takes no more", async () => {
  const ending = journal.startConsumer({ handleMs: 1000, ackWaitMs: 5000 });
  await publish(1, 7);
  await publish(2, 7);
  await until("the event to be in hand", () => notesOf("begin").length === 1);
  expect(await ending.stop()).toBe(0);
  expect(journal.notes().map(({ what, orderId }) => `${what} ${orderId}`)).toEqual(["begin 1", "done 1"]);

  const startedMs = Date.now();
  journal.startConsumer({ handleMs: 10, ackWaitMs: 5000 });
  await until("the other event to be handled", doneWith(2));
  expect(Date.now() - startedMs).toBeLessThan(4000);
});
