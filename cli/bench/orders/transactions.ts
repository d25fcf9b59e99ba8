import { randomBytes, randomUUID } from "node:crypto";
import type { Pool } from "mysql2/promise";
import { insertOrders } from "../../../services/order/src/orders.ts";
import { uuidV7 } from "../../../services/order/src/uuid-v7.ts";

/** What each transaction writes, beside its own ids. */
export interface Written {
  lines: ReadonlyArray<{ sku: string; quantity: number }>;
  userIds: readonly number[];
}

/**
 * Writes orders as the order service does, by its own statements, without anything around them: over so many connections, each
 * again as soon as it has its answer, for a while.
 *
 * @returns how many were committed
 */
export async function transactFor(
  pool: Pool,
  written: Written,
  connections: number,
  forMs: number,
): Promise<number> {
  const { userIds } = written;
  const lines = written.lines.map((line) => ({
    ...line,
    name: "Something to measure with",
    priceCents: 1900,
  }));
  const totalCents = lines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0);
  const requestHash = randomBytes(32);
  const endMs = performance.now() + forMs;
  let committed = 0;
  let turn = 0;
  async function writer(): Promise<void> {
    while (performance.now() < endMs) {
      const userId = userIds[turn++ % userIds.length] as number;
      const nowMs = Date.now();
      const placedAt = new Date(nowMs).toISOString();
      const order = { orderId: uuidV7(nowMs), userId, lines, totalCents, placedAt };
      await insertOrders(pool, [
        {
          order: { ...order, state: "placed", reason: null, currency: "EUR" },
          event: {
            id: randomUUID(),
            type: "order.placed.v1",
            source: "order",
            key: String(userId),
            time: placedAt,
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            data: { ...order, chain: "async" },
          },
          idempotencyKey: randomUUID(),
          requestHash,
        },
      ]);
      committed++;
    }
  }
  await Promise.all(Array.from({ length: connections }, writer));
  return committed;
}
