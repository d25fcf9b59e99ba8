import { pick, seededRandom } from "../seed/random.ts";

/** What can be killed, by the name that `--targets` takes. */
export const targets = [
  "nats",
  "order",
  "payment",
  "provider",
  "notification",
  "mysql",
  "executor",
  "nomad",
] as const;

export type Target = (typeof targets)[number];

/** The jobs whose tasks' executors may be killed: those that an order passes. */
const executorJobs = ["order", "payment", "payment-provider", "notification"] as const;

/** A kill that is to come. */
export interface PlannedKill {
  target: Target;
  /** Whose process it is: a job of Nomad's, or `nomad` for the agent. */
  job: string;
  process: "task" | "executor" | "agent";
  /** How many orders are accepted when it comes. */
  afterOrders: number;
  /** How many orders may be posted until it has come, so that some are left for the kills after it. */
  orderLimit: number;
  /** How long after that it comes; in between more orders are posted, so that it hits them under way. */
  delayMs: number;
}

const maxDelayMs = 250;

/** Orders are split into as many parts as there are kills and one more; a kill comes in the first half of its part. */
const latestShare = 0.5;

/**
 * When to kill what while orders flow: each target once, in a random order, at random moments; the same for the same seed.
 *
 * @param orders how many are to be posted
 */
export function planKills(chosen: readonly Target[], orders: number, seed: number): PlannedKill[] {
  const random = seededRandom(seed);
  const part = orders / (chosen.length + 1);
  return shuffled(chosen, random).map((target, index) => ({
    target,
    ...victimOf(target, random),
    afterOrders: Math.floor((index + latestShare * random()) * part),
    orderLimit: Math.ceil((index + 1) * part),
    delayMs: Math.floor(random() * maxDelayMs),
  }));
}

function victimOf(target: Target, random: () => number): Pick<PlannedKill, "job" | "process"> {
  switch (target) {
    case "nomad":
      return { job: "nomad", process: "agent" };
    case "executor":
      return { job: pick(random, executorJobs), process: "executor" };
    case "provider":
      return { job: "payment-provider", process: "task" };
    default:
      return { job: target, process: "task" };
  }
}

/** Fisher and Yates. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}
