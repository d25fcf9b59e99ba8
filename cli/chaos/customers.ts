import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Shoppers } from "../load/shoppers.ts";
import type { Person, ShopAnswer } from "../shop-client.ts";
import type { Gate } from "./gate.ts";
import type { AcceptedOrder } from "./tally.ts";

/** Someone who orders, one order after another. */
export interface Customer {
  userId: number;
  person: Person;
}

/** An order that was accepted, and when it was first sent. */
export interface SentOrder extends AcceptedOrder {
  /** Milliseconds since 1970. */
  sentAtMs: number;
}

/** What clients have been told so far. */
export interface Told {
  accepted: SentOrder[];
  /** Definite refusals: what the service has said. */
  refused: string[];
  /** How many orders clients gave up on. */
  unanswered: number;
  /** How often a request was sent again because it had no definite answer. */
  retries: number;
}

/** How long a client tries to place one order. */
const giveUpAfterMs = 180_000;

const firstPauseMs = 50;
const longestPauseMs = 1000;

/**
 * Lets customers order through the gate until it is closed, each one order after another, all customers at once.
 *
 * @param told is added to as answers come
 * @param signal ends it, requests under way included
 */
export async function placeOrders(
  customers: readonly Customer[],
  lines: Shoppers["lines"],
  gate: Gate,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    customers.map(async (customer) => {
      while (await gate.pass()) {
        signal.throwIfAborted();
        await placeOrder(customer, lines, told, signal);
      }
    }),
  );
}

/** Sends the same order with the same key until it is accepted or refused: nobody knows what a lost answer said. */
async function placeOrder(
  { person, userId }: Customer,
  lines: Shoppers["lines"],
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const key = randomUUID();
  const sentAtMs = Date.now();
  const deadline = sentAtMs + giveUpAfterMs;
  for (let pauseMs = firstPauseMs; Date.now() < deadline; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const answer = await person
      .send("POST", "/api/orders", {
        headers: { "idempotency-key": key },
        body: { lines },
        signal,
      })
      .catch(() => undefined);
    if (answer?.status === 201) {
      told.accepted.push({ orderId: (answer.body as { orderId: string }).orderId, userId, sentAtMs });
      return;
    }
    if (answer && isDefinite(answer)) {
      told.refused.push(
        `${answer.status}: ${(answer.body as { detail?: string } | undefined)?.detail ?? ""}`,
      );
      return;
    }
    told.retries += 1;
    await delay(pauseMs, undefined, { signal });
  }
  told.unanswered += 1;
}

/** Whether an answer says for good that there is no order: a failure of a server, or "not now", does not. */
function isDefinite({ status }: ShopAnswer): boolean {
  return status < 500 && status !== 408 && status !== 409 && status !== 425 && status !== 429;
}
