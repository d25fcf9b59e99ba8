import { randomUUID } from "node:crypto";
import { request } from "undici";
import { kill } from "../../chaos/kill.ts";
import { cleanUp } from "../../clean-up.ts";
import { readCluster } from "../../cluster.ts";
import { LabError } from "../../errors.ts";
import type { Outputs } from "../../outputs.ts";
import { poll } from "../../poll.ts";
import { scaleJobs } from "../../scaling.ts";
import type { Stack } from "../../stack.ts";

/** The cart service twice, and where each keeps its carts. */
const variants = [
  { job: "cart-stateful", keeps: "in its memory" },
  { job: "cart", keeps: "in Redis" },
] as const;

/** What became of a cart when the instance that had answered for it was killed. */
export interface Survival {
  job: (typeof variants)[number]["job"];
  keeps: (typeof variants)[number]["keeps"];
  before: Item[];
  /** The process that was killed. */
  pid: number;
  /** How long it took until another was healthy in its place. */
  recoveredAfterMs: number;
  after: Item[];
}

export interface Item {
  sku: string;
  quantity: number;
}

const stateful = "cart-stateful";
const because = "lab demo stateless";
const item: Item = { sku: "jacket-1", quantity: 2 };

/**
 * Fills a cart in each variant of the cart service, kills the instance of each with SIGKILL, and looks what is left. The
 * stateful one runs only meanwhile, whatever happens.
 *
 * @param signal ends it early
 * @param say told what is going on
 */
export async function demoStateless(
  stack: Stack,
  outputs: Outputs,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Survival[]> {
  const path = `/api/cart/anon-${randomUUID()}`;
  say("  an instance that keeps carts in its memory starts");
  await scaleJobs(outputs, { [stateful]: 1 }, because, signal);
  try {
    const survivals: Survival[] = [];
    for (const { job, keeps } of variants) {
      signal.throwIfAborted();
      await ask(outputs, job, "PUT", `${path}/items/${item.sku}`, { quantity: item.quantity });
      const before = await itemsOf(outputs, job, path, signal);
      signal.throwIfAborted();
      say(`  kill -9 of the instance of ${job}`);
      const { pid, recoveredAfterMs } = await kill(stack, outputs, { job, process: "task" }, signal);
      const after = await itemsOf(outputs, job, path, signal);
      survivals.push({ job, keeps, before, pid, recoveredAfterMs, after });
    }
    return survivals;
  } finally {
    await cleanUp([
      // Also one that a demonstration that was killed has left.
      () => scaleJobs(outputs, { [stateful]: 0 }, because),
      () => ask(outputs, "cart", "DELETE", path),
    ]);
  }
}

/** An instance that has just come back may not have heard of Redis yet. */
async function itemsOf(outputs: Outputs, job: string, path: string, signal: AbortSignal): Promise<Item[]> {
  const look = async () => {
    const { items } = await ask<{ items: Item[] }>(outputs, job, "GET", path);
    return items.map(({ sku, quantity }) => ({ sku, quantity }));
  };
  return poll(`${job} to show the cart`, look, { signal });
}

/** Asks an instance itself: the gateway has no way to the stateful variant. */
async function ask<T>(
  outputs: Outputs,
  job: string,
  method: "GET" | "PUT" | "DELETE",
  path: string,
  body?: object,
): Promise<T> {
  const { instances } = await readCluster(outputs);
  const [instance] = instances.get(job) ?? [];
  if (!instance) {
    throw new LabError(
      "missing",
      "not-running",
      `${job} has no instance.`,
      "./lab up starts what is missing.",
    );
  }
  const answer = await request(`http://${instance.address}${path}`, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body ? JSON.stringify(body) : null,
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) {
    throw new LabError(
      "failed",
      "refused",
      `${method} ${path} of ${job} answered ${answer.statusCode}: ${text.slice(0, 300)}`,
      "./lab status shows whether all services are healthy.",
    );
  }
  return (text === "" ? undefined : JSON.parse(text)) as T;
}
