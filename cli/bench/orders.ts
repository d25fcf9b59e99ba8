import { setTimeout as delay } from "node:timers/promises";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { mysqlEnvironment } from "../../packages/mysql/src/environment.ts";
import { cleanUp } from "../clean-up.ts";
import { LabError } from "../errors.ts";
import { registerShoppers } from "../load/shoppers.ts";
import { originsOf } from "../origin.ts";
import { say } from "../output.ts";
import { type Outputs, outputsOf } from "../outputs.ts";
import { withOperator } from "../queue/operator.ts";
import type { Stack } from "../stack.ts";
import { median, percentile } from "../statistics.ts";
import { pauseConsumers } from "./orders/consumers.ts";
import { orderFor, type Shopping } from "./orders/load.ts";
import { mailTimesMs } from "./orders/mail-times.ts";
import { createScratch } from "./orders/scratch.ts";
import { transactFor } from "./orders/transactions.ts";
import { withThrowawayStack } from "./throwaway-stack.ts";

/** One round of each. */
export interface Round {
  transactionsPerSecond: number;
  /** Counted until the outbox was empty again. */
  ordersPerSecond: number;
  accepted: number;
  /** The service commits orders that come at the same time together. */
  ordersPerTransaction: number;
  /** How long the relay went on after the last answer. */
  drainedAfterMs: number;
}

/** What is measured, and for how long. */
export interface OrdersBenchmarkOptions {
  /** How many instances the order service has. */
  instances: number;
  roundMs: number;
  /** How long the service takes orders before the rounds. */
  warmUpMs: number;
}

/** What `lab bench orders` measures. */
export interface OrdersBenchmark {
  /** Medians of the rounds. */
  ordersPerSecond: number;
  transactionsPerSecond: number;
  ratio: number;
  acceptToMailMs: { p50: number; p99: number };
  /** The lowest and the highest of the rounds. */
  spread: { ordersPerSecond: [number, number]; transactionsPerSecond: [number, number] };
  rounds: Round[];
  settings: OrdersBenchmarkOptions & {
    /** Customers who order at the same time. */
    clients: number;
    /** To MySQL, of the order service and of the transactions without it. */
    connections: number;
    /** `innodb_flush_log_at_trx_commit`: with 1 every commit is on the disk before it is acknowledged. */
    flushAtCommit: number;
    /** While the time until the mail was measured. */
    mails: number;
    mailOrdersPerSecond: number;
  };
}

const roundCount = 5;
/** Enough for the loop that makes the transactions. */
const transactionsWarmUpMs = 500;
const clients = 32;
const mailPace = { ordersPerSecond: 10, orders: 100 };
const { MYSQL_CONNECTIONS: connectionsEach } = mysqlEnvironment.pick({ MYSQL_CONNECTIONS: true }).parse({});
const drainWithinMs = 60_000;
const drainPollMs = 10;

/**
 * Measures how many orders a second the order service accepts, beside its own transactions without the service around them; and
 * how long it takes from an order to its mail. On a stack of its own, which is gone afterwards: what is ordered in a second would
 * keep a shop busy for a minute.
 *
 * The other services get no events while rounds are measured: what they do with an order has its time, and is no part of
 * accepting it.
 *
 * @throws LabError when the stack does not come up, or orders are refused
 */
export function benchOrders(options: OrdersBenchmarkOptions, signal: AbortSignal): Promise<OrdersBenchmark> {
  const settings = { "lab:instances": { order: options.instances } };
  return withThrowawayStack(settings, signal, async ({ stack, lab }) => {
    await lab("up");
    return await measure(stack, await outputsOf(stack), options, signal);
  });
}

async function measure(
  stack: Stack,
  outputs: Outputs,
  options: OrdersBenchmarkOptions,
  signal: AbortSignal,
): Promise<OrdersBenchmark> {
  const connections = options.instances * connectionsEach;
  say("  registering customers");
  const shoppers = await registerShoppers(outputs, 2 * clients);
  const shopping: Shopping = { origins: await originsOf(stack, outputs, "order"), ...shoppers };
  const scratch = await createScratch(outputs.credentials.mysql, connections);
  try {
    say("  from order to mail");
    const timesMs = await mailTimesMs(shopping, outputs.urls.mail, mailPace, signal);
    await withOperator(stack, outputs, pauseConsumers);
    say("  warming up");
    const { lines, userIds } = shoppers;
    const transact = (forMs: number) => transactFor(scratch.pool, { lines, userIds }, connections, forMs);
    // V8 compiles the service's code bit by bit, over its first ten thousand orders. That of the transactions is a loop.
    await orderFor(shopping, clients, options.warmUpMs);
    await transact(transactionsWarmUpMs);
    const rounds: Round[] = [];
    while (rounds.length < roundCount) {
      signal.throwIfAborted();
      const result = await round(scratch.pool, shopping, transact, options.roundMs);
      rounds.push(result);
      say(
        `  round ${rounds.length}: ${result.transactionsPerSecond} transactions/s, ` +
          `${result.ordersPerSecond} orders/s`,
      );
    }
    return {
      ...summary(rounds),
      acceptToMailMs: timesOf(timesMs),
      rounds,
      settings: {
        ...options,
        clients,
        connections,
        flushAtCommit: await flushAtCommit(scratch.pool),
        mails: timesMs.length,
        mailOrdersPerSecond: mailPace.ordersPerSecond,
      },
    };
  } finally {
    await cleanUp([scratch.remove, shoppers.close]);
  }
}

function summary(
  rounds: Round[],
): Pick<OrdersBenchmark, "ordersPerSecond" | "transactionsPerSecond" | "ratio" | "spread"> {
  const orders = rounds.map(({ ordersPerSecond }) => ordersPerSecond);
  const transactions = rounds.map(({ transactionsPerSecond }) => transactionsPerSecond);
  return {
    ordersPerSecond: Math.round(median(orders)),
    transactionsPerSecond: Math.round(median(transactions)),
    ratio: Math.round((median(orders) / median(transactions)) * 1000) / 1000,
    spread: { ordersPerSecond: rangeOf(orders), transactionsPerSecond: rangeOf(transactions) },
  };
}

function rangeOf(sample: number[]): [number, number] {
  return [Math.min(...sample), Math.max(...sample)];
}

function timesOf(timesMs: number[]): { p50: number; p99: number } {
  if (timesMs.length < mailPace.orders) {
    throw new LabError(
      "failed",
      "no-mail",
      `Of ${mailPace.orders} orders ${timesMs.length} have a mail.`,
      "./lab status shows what is unhealthy; ./lab logs order, payment and notification say what they did.",
    );
  }
  return { p50: percentile(timesMs, 0.5), p99: percentile(timesMs, 0.99) };
}

async function round(
  scratch: Pool,
  shopping: Shopping,
  transact: (forMs: number) => Promise<number>,
  forMs: number,
): Promise<Round> {
  await scratch.query("TRUNCATE outbox");
  const transactionsFromMs = performance.now();
  const committed = await transact(forMs);
  const transactionsMs = performance.now() - transactionsFromMs;

  const commitsBefore = await commits(scratch);
  const ordersFromMs = performance.now();
  const { accepted, refused } = await orderFor(shopping, clients, forMs);
  const answeredMs = performance.now();
  if (Object.keys(refused).length > 0 || accepted === 0 || committed === 0) {
    throw new LabError(
      "failed",
      "refused",
      `${accepted} orders were accepted, others refused (by status: ${JSON.stringify(refused)}).`,
      "./lab logs order says why.",
    );
  }
  await untilDrained(scratch);
  const drainedMs = performance.now();
  return {
    transactionsPerSecond: Math.round(committed / (transactionsMs / 1000)),
    ordersPerSecond: Math.round(accepted / ((drainedMs - ordersFromMs) / 1000)),
    accepted,
    ordersPerTransaction: Math.round((accepted / ((await commits(scratch)) - commitsBefore)) * 10) / 10,
    drainedAfterMs: Math.round(drainedMs - answeredMs),
  };
}

/** Waits until the relay has published everything that the order service has written. */
async function untilDrained(pool: Pool): Promise<void> {
  const deadline = Date.now() + drainWithinMs;
  while ((await numberOf(pool, "SELECT COUNT(*) FROM `order`.outbox")) > 0) {
    if (Date.now() > deadline) {
      throw new LabError(
        "failed",
        "not-drained",
        `Events still wait in the outbox after ${drainWithinMs / 1000} s.`,
        "./lab logs order says what its relay waits for.",
      );
    }
    await delay(drainPollMs);
  }
}

function flushAtCommit(pool: Pool): Promise<number> {
  return numberOf(pool, "SELECT @@innodb_flush_log_at_trx_commit");
}

/** Of the whole server; while no other service gets events they are the order service's. */
async function commits(pool: Pool): Promise<number> {
  const [[row]] = await pool.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Com_commit'");
  return Number(row?.Value);
}

async function numberOf(pool: Pool, statement: string): Promise<number> {
  const [[row]] = await pool.query<RowDataPacket[]>({ sql: statement, rowsAsArray: true });
  return Number(row?.[0]);
}
