import { setTimeout as delay } from "node:timers/promises";
import { pipeline, refuseUnhealthy } from "../healthy.ts";
import { registerShoppers, type Shoppers } from "../load/shoppers.ts";
import { say, seconds } from "../output.ts";
import type { Outputs } from "../outputs.ts";
import { scaleJobs } from "../scaling.ts";
import type { Stack } from "../stack.ts";
import { type Customer, placeOrders, type Told } from "./customers.ts";
import { type Drained, drain, untilQueued } from "./drain.ts";
import { Flow } from "./flow.ts";
import { Gate } from "./gate.ts";
import { type Kill, killAndWait } from "./kill.ts";
import { type PlannedKill, planKills, type Target } from "./schedule.ts";
import { type Backlog, type Marks, Stores } from "./stores.ts";
import { holds, type Tally, tallyOf } from "./tally.ts";
import { underWayAt } from "./under-way.ts";

export interface ChaosOptions {
  orders: number;
  customers: number;
  /** What is killed while orders flow. */
  targets: readonly Target[];
  /** Of the order and the moments of the kills. */
  seed: number;
  /** Services that are stopped before orders are posted, and started after. */
  whileDown: readonly string[];
  /** How long nothing may change before what is missing counts as lost. */
  patienceMs: number;
}

/** A kill, and whether there was anything to hit. */
export interface KillReport extends Kill {
  /** How many orders were accepted by then. */
  accepted: number;
  /** How many of all that were accepted were sent by then, and without their last mail. */
  underWay: number;
}

export interface ChaosReport {
  tally: Tally;
  holds: boolean;
  /** How many orders were to be posted. */
  orders: number;
  kills: KillReport[];
  /** What was waiting when all orders were accepted, with `whileDown`. */
  queued?: Backlog & { charges: number; mails: number };
  refused: string[];
  unanswered: number;
  retries: number;
  /** Whether everything was through when the counting began. */
  isDrained: boolean;
  postedForMs: number;
  drainedForMs: number;
  seed: number;
}

/** How long orders flow from one kill to the next: about what a recovery takes. */
const partMs = 5000;

interface Run {
  stack: Stack;
  outputs: Outputs;
  options: ChaosOptions;
  stores: Stores;
  customers: Customer[];
  lines: Shoppers["lines"];
  marks: Marks;
  told: Told;
  signal: AbortSignal;
}

/**
 * Places orders while things break, waits until all that was accepted is through, and counts what became of it in the stores, the
 * provider's ledger and the mail sink.
 *
 * @throws LabError when the environment isn't healthy before, or doesn't come back from a kill
 */
export async function chaosOrders(
  stack: Stack,
  outputs: Outputs,
  options: ChaosOptions,
  signal: AbortSignal,
): Promise<ChaosReport> {
  await refuseUnhealthy(stack, outputs, pipeline, signal);
  const { people, userIds, lines, close } = await registerShoppers(outputs, options.customers);
  try {
    const stores = new Stores(stack, outputs);
    const run: Run = {
      stack,
      outputs,
      options,
      stores,
      lines,
      customers: people.map((person, index) => ({ person, userId: userIds[index] as number })),
      marks: await stores.marks(),
      told: { accepted: [], refused: [], unanswered: 0, retries: 0 },
      signal,
    };
    const startedAtMs = Date.now();
    const startedMs = performance.now();
    const { kills, queued } =
      options.whileDown.length > 0 ? await postWhileDown(run) : await postAmidKills(run, startedMs);
    const postedMs = performance.now();
    say(`  ${run.told.accepted.length} orders are accepted; waiting until they are through`);
    const drained = await drain(run, options.patienceMs);
    const { mails } = drained.evidence;
    return reportOf(run, drained, {
      kills: kills.map((kill) => ({
        ...kill,
        underWay: underWayAt(startedAtMs + kill.atMs, run.told.accepted, mails),
      })),
      queued,
      postedForMs: Math.round(postedMs - startedMs),
      drainedForMs: Math.round(performance.now() - postedMs),
    });
  } finally {
    await close();
  }
}

function reportOf(
  { told, options }: Run,
  { evidence, isDrained }: Drained,
  measured: Pick<ChaosReport, "kills" | "queued" | "postedForMs" | "drainedForMs">,
): ChaosReport {
  const tally = tallyOf(evidence);
  const { refused, unanswered, retries } = told;
  return {
    tally,
    holds: holds(tally, options.orders),
    orders: options.orders,
    ...measured,
    refused,
    unanswered,
    retries,
    isDrained,
    seed: options.seed,
  };
}

/** What has come of posting, before it is known what became of the orders. */
interface Posted {
  kills: Array<Omit<KillReport, "underWay">>;
  queued?: ChaosReport["queued"];
}

/** All orders at once, while some services are down. */
async function postWhileDown(run: Run): Promise<Posted> {
  const { outputs, options, stores, customers, lines, told, signal } = run;
  const startAgain = await scaleJobs(
    outputs,
    Object.fromEntries(options.whileDown.map((job) => [job, 0])),
    "lab chaos orders",
    signal,
  );
  say(`  stopped: ${options.whileDown.join(", ")}`);
  try {
    const gate = new Gate(options.orders);
    gate.close();
    await placeOrders(customers, lines, gate, told, signal);
    const backlog = await untilQueued(run, options.whileDown);
    const { ledger, mails } = await stores.read(
      customers.map(({ userId }) => userId),
      run.marks,
    );
    const waiting = options.whileDown.map((job) => `${backlog.pending[job]} events wait for ${job}`);
    say(`  ${told.accepted.length} orders are accepted, ${waiting.join(" and ")}`);
    return { kills: [], queued: { ...backlog, charges: ledger.length, mails: mails.length } };
  } finally {
    await startAgain();
    say(`  started again: ${options.whileDown.join(", ")}`);
  }
}

/** Orders at a steady pace, and more of them just before each kill. */
async function postAmidKills(run: Run, startedMs: number): Promise<Posted> {
  const { options, customers, lines, told, signal } = run;
  const plans = planKills(options.targets, options.orders, options.seed);
  const gate = new Gate();
  const flow = new Flow(gate, options.orders, (partMs * (plans.length + 1)) / options.orders);
  // Ends with the kills: customers would go on trying for minutes where what was killed doesn't come back.
  const end = new AbortController();
  const posting = placeOrders(customers, lines, gate, told, AbortSignal.any([signal, end.signal]));
  try {
    const [kills] = await Promise.all([killInTurn(run, plans, flow, startedMs), posting]);
    return { kills };
  } finally {
    flow.end();
    end.abort();
    await posting.catch(() => undefined);
  }
}

async function killInTurn(
  run: Run,
  plans: PlannedKill[],
  flow: Flow,
  startedMs: number,
): Promise<Posted["kills"]> {
  const { stack, outputs, options, told, signal } = run;
  const kills: Posted["kills"] = [];
  for (const plan of plans) {
    flow.allow(plan.orderLimit);
    while (told.accepted.length + told.refused.length + told.unanswered < plan.afterOrders) {
      await delay(20, undefined, { signal });
    }
    flow.hurry(options.customers);
    await delay(plan.delayMs, undefined, { signal });
    const accepted = told.accepted.length;
    const kill = await killAndWait(stack, outputs, plan, startedMs, signal);
    kills.push({ ...kill, accepted });
    say(
      `  kill -9 of ${plan.job}'s ${plan.process} (pid ${kill.pid}) at ${seconds(kill.atMs)}, ` +
        `back after ${seconds(kill.recoveredAfterMs)}; ${told.accepted.length} orders are accepted`,
    );
  }
  flow.allow(options.orders);
  return kills;
}
