import { setTimeout as delay } from "node:timers/promises";
import { PaidMails } from "../../load/mails.ts";
import { type PlacedOrder, placeOrder } from "../../load/place-order.ts";
import type { CurrentToken } from "../../shop-client.ts";
import type { Shopping } from "./load.ts";

export interface Pace {
  ordersPerSecond: number;
  orders: number;
}

/** How long the last mail may take. */
const withinMs = 60_000;

/**
 * Places orders at a pace that leaves no queue, and waits for the mail that each is paid.
 *
 * @param signal ends it early
 * @returns how long it took from each acceptance, as the customer sees it, until the mail server had the mail, in milliseconds
 */
export async function mailTimesMs(
  { origins, tokens, lines }: Shopping,
  sinkUrl: string,
  pace: Pace,
  signal: AbortSignal,
): Promise<number[]> {
  const mails = await PaidMails.watch(sinkUrl);
  const startedMs = performance.now();
  const answers: Promise<PlacedOrder>[] = [];
  for (let index = 0; index < pace.orders; index++) {
    const dueMs = startedMs + (index * 1000) / pace.ordersPerSecond;
    await delay(Math.max(0, dueMs - performance.now()), undefined, { signal });
    const tokenOf = tokens[index % tokens.length] as CurrentToken;
    answers.push(
      placeOrder({
        origin: origins[index % origins.length] as string,
        token: await tokenOf(),
        lines,
      }),
    );
  }
  const accepted = new Map(
    (await Promise.all(answers))
      .filter(({ status }) => status === 201)
      .map(({ orderId, answeredAtMs }) => [orderId as string, answeredAtMs]),
  );
  const received = await mails.untilReceived([...accepted.keys()], withinMs, signal);
  return [...received].map(([orderId, receivedMs]) => receivedMs - (accepted.get(orderId) as number));
}
