import { randomUUID } from "node:crypto";
import { BalancedPool, type Dispatcher } from "undici";
import type { CurrentToken } from "../../shop-client.ts";

/** What customers of the load order. */
export interface Shopping {
  /** Of the order service's instances, which share the orders. */
  origins: readonly string[];
  /** Each customer's; they order in turn. */
  tokens: readonly CurrentToken[];
  lines: ReadonlyArray<{ sku: string; quantity: number }>;
}

/** What became of the requests. */
export interface LoadResult {
  accepted: number;
  /** How many were not, by status; those without an answer count as 0. */
  refused: Record<number, number>;
}

/**
 * Has so many customers order at the same time, each again as soon as it has its answer, for a while.
 *
 * @throws LabError when the gateway gives out no token
 */
export async function orderFor(shopping: Shopping, customers: number, forMs: number): Promise<LoadResult> {
  const { origins, tokens, lines } = shopping;
  const pool = new BalancedPool([...origins], { connections: customers });
  const body = JSON.stringify({ lines });
  const result: LoadResult = { accepted: 0, refused: {} };
  let endMs = performance.now() + forMs;
  let turn = 0;
  async function customer(): Promise<void> {
    while (performance.now() < endMs) {
      const tokenOf = tokens[turn++ % tokens.length] as CurrentToken;
      const token = await tokenOf().catch((error) => {
        // For the others too.
        endMs = 0;
        throw error;
      });
      const status = await order(pool, token, body);
      if (status === 201) {
        result.accepted++;
      } else {
        result.refused[status] = (result.refused[status] ?? 0) + 1;
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: customers }, customer));
  } finally {
    await pool.close();
  }
  return result;
}

async function order(pool: Dispatcher, token: string, body: string): Promise<number> {
  try {
    const answer = await pool.request({
      method: "POST",
      path: "/api/orders",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "idempotency-key": randomUUID(),
      },
      body,
    });
    await answer.body.dump();
    return answer.statusCode;
  } catch {
    return 0;
  }
}
