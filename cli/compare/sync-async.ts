import { setTimeout as delay } from "node:timers/promises";
import { cleanUp } from "../clean-up.ts";
import { LabError } from "../errors.ts";
import { pipeline, refuseUnhealthy } from "../healthy.ts";
import { PaidMails } from "../load/mails.ts";
import { type PlacedOrder, placeOrder } from "../load/place-order.ts";
import { registerShoppers, type Shoppers } from "../load/shoppers.ts";
import { slowProvider } from "../load/slow-provider.ts";
import { originsOf } from "../origin.ts";
import { say } from "../output.ts";
import type { Outputs } from "../outputs.ts";
import { scaleJobs } from "../scaling.ts";
import type { CurrentToken } from "../shop-client.ts";
import type { Stack } from "../stack.ts";
import { percentile } from "../statistics.ts";

/** The two ways from order over payment to notification. */
export const chains = ["async", "sync"] as const;

export type ChainName = (typeof chains)[number];

interface Percentiles {
  p50: number;
  p99: number;
}

/** A chain while everything runs. */
export interface ChainReport {
  accepted: number;
  failed: number;
  /** How long customers wait for the answer to their POST. */
  latencyMs: Percentiles;
  /** Answers, while so many customers order at once. */
  ordersPerSecond: number;
  /** From the POST to the mail that it is paid. */
  mailMs: Percentiles;
}

/** What becomes of orders that are placed while payment is down. */
export interface OutageReport {
  accepted: number;
  failed: number;
  latencyMs: Percentiles;
  /** Once payment is back, without the customer doing anything. */
  paidAfterwards: number;
  /** For good: the customer has been told no, or nobody will ever take the money. */
  lost: number;
}

export interface SyncAsyncReport {
  chains: Record<ChainName, ChainReport>;
  paymentDown: Record<ChainName, OutageReport>;
  settings: SyncAsyncOptions;
}

export interface SyncAsyncOptions {
  rounds: number;
  ordersPerRound: number;
  /** Customers who order at the same time. */
  clients: number;
  /** How much longer the payment provider takes for each answer, while everything runs. */
  providerLatencyMs: number;
  ordersWhileDown: number;
}

interface Run {
  outputs: Outputs;
  options: SyncAsyncOptions;
  origins: Record<ChainName, string>;
  shoppers: Shoppers;
  mails: PaidMails;
  signal: AbortSignal;
}

/** An order of a round, with its mail. */
interface Sample extends PlacedOrder {
  mailMs?: number;
}

const because = "lab compare sync-async";
const variants = ["order-sync", "payment-sync"] as const;
const mailWithinMs = 60_000;
const paidWithinMs = 120_000;
const pollMs = 200;

/**
 * Runs the same load over both chains, in turns; then stops payment while both take orders, and starts it again. The synchronous
 * chain's services are started for it, and stopped afterwards whatever happens.
 */
export async function compareSyncAsync(
  stack: Stack,
  outputs: Outputs,
  options: SyncAsyncOptions,
  signal: AbortSignal,
): Promise<SyncAsyncReport> {
  await refuseUnhealthy(stack, outputs, pipeline, signal);
  say("  starting the synchronous chain");
  // Also what a comparison that was killed has left running is to stop.
  await scaleJobs(outputs, instances(variants, 0), because, signal);
  const stopVariants = await scaleJobs(outputs, instances(variants, 1), because, signal);
  let shoppers: Shoppers | undefined;
  try {
    shoppers = await registerShoppers(outputs, options.clients);
    const run: Run = {
      outputs,
      options,
      origins: {
        async: (await originsOf(stack, outputs, "order"))[0],
        sync: (await originsOf(stack, outputs, "order-sync"))[0],
      },
      shoppers,
      mails: await PaidMails.watch(outputs.urls.mail),
      signal,
    };
    return {
      chains: await measure(run),
      paymentDown: await measureOutage(run),
      settings: options,
    };
  } finally {
    await cleanUp([async () => shoppers?.close(), stopVariants]);
  }
}

function instances(jobs: readonly string[], count: number): Record<string, number> {
  return Object.fromEntries(jobs.map((job) => [job, count]));
}

async function measure(run: Run): Promise<Record<ChainName, ChainReport>> {
  const makeQuick = await slowProvider(run.outputs, run.options.providerLatencyMs);
  try {
    return await measureInTurns(run);
  } finally {
    await makeQuick();
  }
}

async function measureInTurns(run: Run): Promise<Record<ChainName, ChainReport>> {
  const samples: Record<ChainName, Sample[]> = { async: [], sync: [] };
  const spentMs: Record<ChainName, number> = { async: 0, sync: 0 };
  for (const chain of chains) {
    await round(run, chain, run.options.clients);
  }
  for (let index = 0; index < run.options.rounds; index++) {
    for (const chain of chains) {
      say(`  round ${index + 1}, ${chain}`);
      const { orders, tookMs } = await round(run, chain, run.options.ordersPerRound);
      samples[chain].push(...orders);
      spentMs[chain] += tookMs;
    }
  }
  return {
    async: reportOf(samples.async, spentMs.async),
    sync: reportOf(samples.sync, spentMs.sync),
  };
}

function reportOf(samples: Sample[], spentMs: number): ChainReport {
  const accepted = samples.filter(isAccepted);
  const mailMs = accepted.map(({ mailMs }) => mailMs).filter((ms) => ms !== undefined);
  if (mailMs.length === 0) {
    throw new LabError(
      "failed",
      "no-mail",
      `Of ${samples.length} orders ${accepted.length} were accepted, and none has a mail.`,
      "./lab status shows what is unhealthy; ./lab logs order says what it has refused.",
    );
  }
  return {
    accepted: accepted.length,
    failed: samples.length - accepted.length,
    latencyMs: percentilesOf(samples.map(({ tookMs }) => tookMs)),
    ordersPerSecond: Math.round((accepted.length / (spentMs / 1000)) * 10) / 10,
    mailMs: percentilesOf(mailMs),
  };
}

/** So many orders over one chain, and their mails: what is still under way would slow the other chain's round. */
async function round(
  { origins, shoppers, mails, signal }: Run,
  chain: ChainName,
  count: number,
): Promise<{ orders: Sample[]; tookMs: number }> {
  const origin = origins[chain];
  const { lines, tokens } = shoppers;
  const startedMs = performance.now();
  const orders: Sample[] = [];
  let left = count;
  await Promise.all(
    tokens.map(async (tokenOf) => {
      while (left-- > 0) {
        signal.throwIfAborted();
        orders.push(await placeOrder({ origin, token: await tokenOf(), lines }));
      }
    }),
  );
  const tookMs = performance.now() - startedMs;
  const ids = orders.filter(isAccepted).map(({ orderId }) => orderId as string);
  const received = await mails.untilReceived(ids, mailWithinMs, signal);
  for (const order of orders) {
    const receivedMs = received.get(order.orderId ?? "");
    if (receivedMs !== undefined) {
      order.mailMs = receivedMs - order.sentAtMs;
    }
  }
  return { orders, tookMs };
}

async function measureOutage(run: Run): Promise<Record<ChainName, OutageReport>> {
  const { outputs, options, origins, signal } = run;
  const { lines, tokens } = run.shoppers;
  say("  orders while payment is down");
  const startAgain = await scaleJobs(outputs, instances(["payment", "payment-sync"], 0), because, signal);
  const orders: Record<ChainName, PlacedOrder[]> = { async: [], sync: [] };
  try {
    for (let index = 0; index < options.ordersWhileDown; index++) {
      for (const chain of chains) {
        signal.throwIfAborted();
        const tokenOf = tokens[index % tokens.length] as CurrentToken;
        orders[chain].push(await placeOrder({ origin: origins[chain], token: await tokenOf(), lines }));
      }
    }
  } finally {
    say("  payment is started again");
    await startAgain();
  }
  // The asynchronous ones first: once they are through, whatever was to become of the others has become of them.
  const paidAsync = await untilPaid(run, orders.async);
  const paidSync = await paidOf(run, orders.sync);
  return { async: outageOf(orders.async, paidAsync), sync: outageOf(orders.sync, paidSync) };
}

function outageOf(orders: PlacedOrder[], paid: number): OutageReport {
  const accepted = orders.filter(isAccepted).length;
  return {
    accepted,
    failed: orders.length - accepted,
    latencyMs: percentilesOf(orders.map(({ tookMs }) => tookMs)),
    paidAfterwards: paid,
    lost: orders.length - paid,
  };
}

async function untilPaid(run: Run, orders: PlacedOrder[]): Promise<number> {
  const deadline = Date.now() + paidWithinMs;
  for (;;) {
    const paid = await paidOf(run, orders);
    if (paid === orders.length || Date.now() > deadline) {
      return paid;
    }
    await delay(pollMs, undefined, { signal: run.signal });
  }
}

/** How many of some orders are paid, as their customers see them. */
async function paidOf({ shoppers }: Run, orders: PlacedOrder[]): Promise<number> {
  const states = new Map<string, string>();
  for (const person of shoppers.people) {
    const own = await person.ask<Array<{ orderId: string; state: string }>>("GET", "/api/orders?limit=500");
    for (const { orderId, state } of own) {
      states.set(orderId, state);
    }
  }
  return orders.filter(({ orderId }) => ["paid", "confirmed"].includes(states.get(orderId ?? "") ?? ""))
    .length;
}

function isAccepted({ status }: PlacedOrder): boolean {
  return status === 201;
}

function percentilesOf(ms: number[]): Percentiles {
  const rounded = (share: number) => Math.round(percentile(ms, share) * 10) / 10;
  return { p50: rounded(0.5), p99: rounded(0.99) };
}
