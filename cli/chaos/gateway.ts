import { setTimeout as delay } from "node:timers/promises";
import { refuseUnhealthy } from "../healthy.ts";
import { registerShoppers } from "../load/shoppers.ts";
import { say, seconds } from "../output.ts";
import type { Outputs } from "../outputs.ts";
import type { Stack } from "../stack.ts";
import { Instances } from "./gateway/instances.ts";
import { planMischief } from "./gateway/plan.ts";
import { useShop } from "./gateway/users.ts";
import { type Asked, type Happening, type Verdict, verdictOf } from "./gateway/verdict.ts";

export interface GatewayChaosOptions {
  users: number;
  /** How long things go on happening. */
  seconds: number;
  /** Of what happens to whom, and of what users do. */
  seed: number;
}

export interface GatewayChaosReport extends Verdict {
  /** Whether nothing failed that a kill does not explain. */
  holds: boolean;
  /** From when times count, in milliseconds of `performance.now()`. */
  startedMs: number;
  /** How long users used the shop. */
  tookMs: number;
  settings: GatewayChaosOptions;
}

/** Whose instances are stopped, started, killed and exchanged: what users ask, and what they ask it through. */
const struck = ["gateway", "user", "product", "cart", "order"] as const;

/** How long users have the shop to themselves, before the first thing happens and after the last. */
const calmMs = 1000;

/**
 * Lets users use the shop through the gateway while instances of it and of services come and go, and counts each request that fails.
 * Every job has its instances and its version of before afterwards, whatever happens.
 *
 * @throws LabError when the stack isn't healthy before, or doesn't recover from what happens
 */
export async function chaosGateway(
  stack: Stack,
  outputs: Outputs,
  options: GatewayChaosOptions,
  signal: AbortSignal,
): Promise<GatewayChaosReport> {
  await refuseUnhealthy(stack, outputs, struck, signal);
  const instances = new Instances(stack, outputs, signal);
  try {
    say(`  two instances of each: ${struck.join(", ")}`);
    await instances.multiply(struck);
    return await watch(outputs, instances, options, signal);
  } finally {
    say("  the jobs get their instances and versions of before");
    await instances.restore();
  }
}

async function watch(
  outputs: Outputs,
  instances: Instances,
  options: GatewayChaosOptions,
  signal: AbortSignal,
): Promise<GatewayChaosReport> {
  const { users, seed } = options;
  const shoppers = await registerShoppers(outputs, users, { apart: true });
  const asked: Asked[] = [];
  const end = new AbortController();
  let isOver = false;
  const startedMs = performance.now();
  say(`  ${users} users use the shop`);
  const using = useShop(
    shoppers,
    { seed, asked, isOver: () => isOver },
    AbortSignal.any([signal, end.signal]),
  );
  try {
    const striking = strikeInTurn(instances, asked, startedMs, options, signal).finally(() => {
      isOver = true;
    });
    const [happenings] = await Promise.all([striking, using]);
    const verdict = verdictOf(asked, happenings);
    return {
      ...verdict,
      holds: verdict.requests > 0 && verdict.unexplained.length === 0,
      startedMs,
      tookMs: Math.round(performance.now() - startedMs),
      settings: options,
    };
  } finally {
    end.abort();
    await using.catch(() => undefined);
    await shoppers.close();
  }
}

async function strikeInTurn(
  instances: Instances,
  asked: readonly Asked[],
  startedMs: number,
  options: GatewayChaosOptions,
  signal: AbortSignal,
): Promise<Happening[]> {
  const happenings: Happening[] = [];
  const endMs = startedMs + options.seconds * 1000;
  await delay(calmMs, undefined, { signal });
  for (const { kind, job, pauseMs } of planMischief(struck, options.seed)) {
    await delay(pauseMs, undefined, { signal });
    if (performance.now() >= endMs) {
      break;
    }
    const struckNow = await instances.strike(kind, job);
    happenings.push(...struckNow);
    const [{ fromMs } = { fromMs: 0 }] = struckNow;
    const { failed, unexplained } = verdictOf(asked, happenings);
    say(
      `  ${struckNow.map((one) => one.kind).join(" and ")} of ${job} at ${seconds(fromMs - startedMs)}, ` +
        `over after ${seconds(performance.now() - fromMs)}; of ${asked.length} requests ${failed} failed, ${unexplained.length} unexplained`,
    );
  }
  await delay(calmMs, undefined, { signal });
  return happenings;
}
