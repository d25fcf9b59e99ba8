import { setTimeout as delay } from "node:timers/promises";
import { readCluster, unhealthy } from "../cluster.ts";
import { LabError } from "../errors.ts";
import { registerShoppers, type Shoppers } from "../load/shoppers.ts";
import { countOf } from "../nomad-jobs.ts";
import { say, seconds } from "../output.ts";
import { notRunning, type Outputs } from "../outputs.ts";
import { scaleJobs } from "../scaling.ts";
import type { Stack } from "../stack.ts";
import { type Customer, placeOrders, type Told } from "./customers.ts";
import { type Drained, drain, untilQueued } from "./drain.ts";
import { Gate } from "./gate.ts";
import { type Kill, killAndWait } from "./kill.ts";
import { type PlannedKill, planKills, type Target } from "./schedule.ts";
import { type Backlog, type Marks, Stores } from "./stores.ts";
import { holds, type Tally, tallyOf } from "./tally.ts";

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

export interface ChaosReport {
  tally: Tally;
  holds: boolean;
  kills: Kill[];
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
  await refuseUnhealthy(stack, outputs);
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
    const startedMs = performance.now();
    const { kills = [], queued } =
      options.whileDown.length > 0 ? await postWhileDown(run) : await postAmidKills(run, startedMs);
    const postedMs = performance.now();
    say(`  ${run.told.accepted.length} orders are accepted; waiting until they are through`);
    const drained = await drain(run, options.patienceMs);
    return reportOf(run, drained, {
      kills,
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
    holds: holds(tally),
    ...measured,
    refused,
    unanswered,
    retries,
    isDrained,
    seed: options.seed,
  };
}

/** The services that an order passes. */
const pipeline = ["order", "payment", "notification"] as const;

/** Faults of before would be counted as faults of the run. */
async function refuseUnhealthy(stack: Stack, outputs: Outputs): Promise<void> {
  const sick = await readCluster(outputs).then(unhealthy, () => {
    throw notRunning(stack, "Nomad or Consul");
  });
  for (const job of pipeline) {
    // Nothing is unhealthy of a job that was scaled to nothing.
    if ((await countOf(outputs, job)) === 0) {
      sick.push(`${job} is stopped`);
    }
  }
  if (sick.length > 0) {
    throw new LabError(
      "missing",
      "unhealthy",
      `Stack ${stack.name} is not healthy:\n  ${sick.join("\n  ")}`,
      "./lab up starts what is missing; then run this again.",
    );
  }
}

/** All orders at once, while some services are down. */
async function postWhileDown(run: Run): Promise<Pick<ChaosReport, "kills" | "queued">> {
  const { outputs, options, stores, customers, lines, told, signal } = run;
  const startAgain = await scaleJobs(
    outputs,
    Object.fromEntries(options.whileDown.map((job) => [job, 0])),
    "lab chaos orders",
  );
  say(`  ${options.whileDown.join(" and ")} are stopped`);
  try {
    const gate = new Gate(options.orders);
    gate.close();
    await placeOrders(customers, lines, gate, told, signal);
    const backlog = await untilQueued(run);
    const { ledger, mails } = await stores.read(
      customers.map(({ userId }) => userId),
      run.marks,
    );
    say(`  ${told.accepted.length} orders are accepted, ${backlog.pending.payment} events wait for payment`);
    return { kills: [], queued: { ...backlog, charges: ledger.length, mails: mails.length } };
  } finally {
    await startAgain();
    say(`  ${options.whileDown.join(" and ")} run again`);
  }
}

/** Orders at a steady pace, and more of them just before each kill. */
async function postAmidKills(run: Run, startedMs: number): Promise<Pick<ChaosReport, "kills" | "queued">> {
  const { options, customers, lines, told, signal } = run;
  const plans = planKills(options.targets, options.orders, options.seed);
  const gate = new Gate();
  const flow = new Flow(gate, options.orders, (partMs * (plans.length + 1)) / options.orders);
  const posting = placeOrders(customers, lines, gate, told, signal);
  try {
    const [kills] = await Promise.all([killInTurn(run, plans, flow, startedMs), posting]);
    return { kills };
  } finally {
    flow.end();
  }
}

async function killInTurn(run: Run, plans: PlannedKill[], flow: Flow, startedMs: number): Promise<Kill[]> {
  const { stack, outputs, options, told, signal } = run;
  const kills: Kill[] = [];
  for (const plan of plans) {
    flow.allow(plan.orderLimit);
    while (told.accepted.length + told.refused.length + told.unanswered < plan.afterOrders) {
      await delay(20, undefined, { signal });
    }
    flow.hurry(options.customers);
    await delay(plan.delayMs, undefined, { signal });
    const kill = await killAndWait(stack, outputs, plan, startedMs);
    kills.push(kill);
    say(
      `  kill -9 of ${plan.job}'s ${plan.process} (pid ${kill.pid}) at ${seconds(kill.atMs)}, ` +
        `back after ${seconds(kill.recoveredAfterMs)}; ${told.accepted.length} orders are accepted`,
    );
  }
  flow.allow(options.orders);
  return kills;
}

/** Opens a gate at a steady pace, up to a limit that moves. */
class Flow {
  readonly #gate: Gate;
  readonly #total: number;
  readonly #timer: NodeJS.Timeout;
  #opened = 0;
  #limit = 0;

  constructor(gate: Gate, total: number, intervalMs: number) {
    this.#gate = gate;
    this.#total = total;
    this.#timer = setInterval(() => this.#open(this.#opened < this.#limit ? 1 : 0), intervalMs);
  }

  /** Lets up to that many orders through in all. */
  allow(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  /** Lets some orders through at once, whatever the limit. */
  hurry(count: number): void {
    this.#open(count);
  }

  /** Lets nothing more through. */
  end(): void {
    clearInterval(this.#timer);
    this.#gate.close();
  }

  #open(count: number): void {
    const allowed = Math.min(count, this.#total - this.#opened);
    this.#opened += allowed;
    this.#gate.open(allowed);
    if (this.#opened === this.#total) {
      this.end();
    }
  }
}
