import { setTimeout as delay } from "node:timers/promises";
import { LabError } from "../errors.ts";
import type { KeptMail } from "../load/mails.ts";
import type { Customer, Told } from "./customers.ts";
import type { Backlog, Marks, Stores } from "./stores.ts";
import { type Evidence, type Tally, tallyOf } from "./tally.ts";

/** What is looked at to see how far a run is. */
export interface Watched {
  stores: Stores;
  customers: readonly Customer[];
  marks: Marks;
  told: Told;
  signal: AbortSignal;
}

export interface Drained {
  evidence: Evidence & { mails: KeptMail[] };
  /** False when nothing changed any more although something was missing. */
  isDrained: boolean;
}

const pollMs = 500;

/** How long the events of accepted orders may take into the queue. */
const queuedWithinMs = 60_000;

/**
 * Waits until every accepted order is through and nothing is left that could still act, or until nothing changes any more.
 *
 * @param patienceMs how long nothing may change
 * @throws LabError when the stores can't be read
 */
export async function drain(watched: Watched, patienceMs: number): Promise<Drained> {
  const userIds = watched.customers.map(({ userId }) => userId);
  let last: ({ state: string } & Pick<Drained, "evidence">) | undefined;
  let deadline = Date.now() + patienceMs;
  for (;;) {
    const seen = await look(watched, userIds).catch((error: Error) => error);
    if (!(seen instanceof Error)) {
      const { evidence, backlog } = seen;
      if (isThrough(evidence, backlog)) {
        return { evidence, isDrained: true };
      }
      const state = JSON.stringify([evidence.orders, evidence.payments, evidence.mails, backlog]);
      if (state !== last?.state) {
        deadline = Date.now() + patienceMs;
      }
      last = { state, evidence };
    }
    if (Date.now() > deadline) {
      if (last) {
        return { evidence: last.evidence, isDrained: false };
      }
      throw new LabError(
        "failed",
        "stores-unreadable",
        `What became of the orders can't be read: ${(seen as Error).message}`,
        "./lab status shows what is unhealthy.",
      );
    }
    await delay(pollMs, undefined, { signal: watched.signal });
  }
}

async function look(
  { stores, marks, told }: Watched,
  userIds: number[],
): Promise<Pick<Drained, "evidence"> & { backlog: Backlog }> {
  // First what is still to act: what it has done by then is in what is read after it.
  const backlog = await stores.backlog();
  const read = await stores.read(userIds, marks);
  return { backlog, evidence: { accepted: told.accepted, unanswered: told.unanswered, ...read } };
}

function isThrough(evidence: Evidence, { outbox, pending, underWay }: Backlog): boolean {
  return (
    outbox === 0 &&
    underWay === 0 &&
    Object.values(pending).every((count) => count === 0) &&
    isComplete(tallyOf(evidence))
  );
}

/**
 * Waits until the events of all accepted orders are in the queue, and gives what waits there.
 *
 * @param stopped the services that wait for them: others have handled theirs by then
 * @throws LabError when they don't come
 */
export async function untilQueued(
  { stores, told, signal }: Pick<Watched, "stores" | "told" | "signal">,
  stopped: readonly string[],
): Promise<Backlog> {
  const deadline = Date.now() + queuedWithinMs;
  for (;;) {
    const backlog = await stores.backlog();
    const waiting = stopped.map((service) => backlog.pending[service] ?? 0);
    if (backlog.outbox === 0 && waiting.every((count) => count >= told.accepted.length)) {
      return backlog;
    }
    if (Date.now() > deadline) {
      throw new LabError(
        "failed",
        "not-queued",
        `${told.accepted.length} orders are accepted, but ${waiting.join(" and ")} events wait for ` +
          `${stopped.join(" and ")}, and ${backlog.outbox} are in outboxes.`,
        "./lab logs order shows what its relay does.",
      );
    }
    await delay(pollMs, undefined, { signal });
  }
}

function isComplete({ lost, unfinished }: Tally): boolean {
  return lost.length === 0 && unfinished.length === 0;
}
