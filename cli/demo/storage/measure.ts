import { median, percentile } from "../../statistics.ts";
import type { Ask, Outcome, Result } from "./question.ts";
import type { Stores } from "./stores.ts";

/** How much time the runs of one question may take, about, and how many runs there are at least and at most. */
const budgetMs = 2000;
const leastRuns = 7;
const mostRuns = 101;

/**
 * Runs the ways to ask a question, first once or twice to warm up, then in turn, so that whatever else the machine does meets
 * all of them alike.
 *
 * @param signal ends it between two runs
 */
export async function measure(
  asks: Array<Ask & { name: string }>,
  stores: Stores,
  signal: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const ask of asks) {
    results.push(await firstRun(ask, stores));
    signal.throwIfAborted();
  }
  const measured = asks
    .map((ask, index) => ({ ask, result: results[index] as Result, timesMs: [] as number[] }))
    .filter(({ result }) => result.refused === undefined);
  const roundMs = measured.reduce((sum, { result }) => sum + result.medianMs, 0);
  const runs = Math.min(mostRuns, Math.max(leastRuns, Math.floor(budgetMs / roundMs)));
  for (let run = 0; run < runs; run++) {
    for (const { ask, timesMs } of measured) {
      timesMs.push(await timed(ask, stores));
      signal.throwIfAborted();
    }
  }
  for (const { result, timesMs } of measured) {
    Object.assign(result, {
      medianMs: median(timesMs),
      quartilesMs: [percentile(timesMs, 0.25), percentile(timesMs, 0.75)],
      runs,
    });
  }
  return results;
}

/** Gets the answer, then the plan while what was asked is as it was, and a first time that tells how often to repeat. */
async function firstRun(ask: Ask & { name: string }, stores: Stores): Promise<Result> {
  const { store, name, statement } = ask;
  const unmeasured = {
    store,
    name,
    statement,
    medianMs: 0,
    quartilesMs: [0, 0] as [number, number],
    runs: 0,
  };
  let outcome: Outcome;
  try {
    outcome = await ask.run(stores);
  } catch (error) {
    if (ask.mayRefuse) {
      return { ...unmeasured, plan: [], refused: (error as Error).message, requests: 1 };
    }
    throw error;
  }
  const plan = (await ask.plan?.(stores)) ?? [];
  await ask.undo?.(stores);
  return { ...unmeasured, ...outcome, plan, medianMs: await timed(ask, stores) };
}

/** How long it takes to ask, in milliseconds; what that changes is undone outside of it. */
async function timed(ask: Ask, stores: Stores): Promise<number> {
  const startedMs = performance.now();
  await ask.run(stores);
  const ms = performance.now() - startedMs;
  await ask.undo?.(stores);
  return ms;
}
