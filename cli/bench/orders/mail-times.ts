import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { lastMail, mailsAfter } from "../../mails.ts";
import type { Shopping } from "./load.ts";

export interface Pace {
  ordersPerSecond: number;
  orders: number;
}

/** How long the last mail may take. */
const withinMs = 60_000;
const pollMs = 200;

/**
 * Places orders at a pace that leaves no queue, and waits for the mail that each is paid.
 *
 * @param signal ends it early
 * @returns how long it took from each acceptance, as the customer sees it, until the mail server had the mail, in milliseconds
 */
export async function mailTimesMs(
  shopping: Shopping,
  sinkUrl: string,
  pace: Pace,
  signal: AbortSignal,
): Promise<number[]> {
  const before = await lastMail(sinkUrl);
  const acceptedMs = new Map<string, number>();
  const startedMs = performance.now();
  const answers: Promise<void>[] = [];
  for (let index = 0; index < pace.orders; index++) {
    const dueMs = startedMs + (index * 1000) / pace.ordersPerSecond;
    await delay(Math.max(0, dueMs - performance.now()), undefined, { signal });
    answers.push(
      place(shopping, index).then((orderId) => {
        if (orderId !== undefined) {
          acceptedMs.set(orderId, Date.now());
        }
      }),
    );
  }
  await Promise.all(answers);
  const timesMs: number[] = [];
  const deadline = Date.now() + withinMs;
  let seen = before;
  while (timesMs.length < acceptedMs.size && Date.now() < deadline) {
    const mails = await mailsAfter(sinkUrl, seen);
    seen = mails.at(-1)?.seq ?? seen;
    for (const { messageId, receivedAt } of mails) {
      const [, orderId = "", kind] = /^<?([\w-]+)\.(\w+)@/.exec(messageId) ?? [];
      const placedMs = acceptedMs.get(orderId);
      if (placedMs !== undefined && kind === "paid") {
        timesMs.push(Date.parse(receivedAt) - placedMs);
      }
    }
    await delay(pollMs, undefined, { signal });
  }
  return timesMs;
}

/** Gives the id of the order that was accepted, if it was. */
async function place({ origin, tokens, lines }: Shopping, index: number): Promise<string | undefined> {
  const { statusCode, body } = await request(new URL("/api/orders", origin), {
    method: "POST",
    headers: {
      authorization: `Bearer ${tokens[index % tokens.length]}`,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
    },
    body: JSON.stringify({ lines }),
  });
  const { orderId } = (await body.json()) as { orderId?: string };
  return statusCode === 201 ? orderId : undefined;
}
