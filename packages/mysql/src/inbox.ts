import type { ShopEvent } from "@lab/messaging";
import type { Pool, PoolConnection } from "mysql2/promise";
import { isDuplicate } from "./errors.ts";
import type { Migration } from "./migrate.ts";
import { transaction } from "./transaction.ts";

/** The events that were handled. */
export const inboxMigration: Migration = {
  name: "inbox",
  statements: [
    `CREATE TABLE IF NOT EXISTS inbox (
      event_id VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
      handled_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
      KEY inbox_handled_at (handled_at)
    )`,
  ],
};

/** The longest way of an event: 7 days in its stream, 14 in the dead letters, and 7 again when it is replayed. */
const keptDays = 30;
const pruneIntervalMs = 60 * 60 * 1000;
const prunedAtMs = new WeakMap<Pool, number>();

/**
 * Handles an event once: the inbox's row is written in the same transaction as the effects. A repeat that comes at the same
 * time waits for that transaction, and does nothing when it has committed.
 *
 * @returns whether it was handled now; false for a repeat
 */
export async function handleOnce(
  pool: Pool,
  event: Pick<ShopEvent, "id">,
  handle: (connection: PoolConnection) => Promise<void>,
): Promise<boolean> {
  const isHandled = await transaction(pool, async (connection) => {
    try {
      await connection.execute("INSERT INTO inbox (event_id) VALUES (?)", [event.id]);
    } catch (error) {
      if (isDuplicate(error)) {
        return false;
      }
      throw error;
    }
    await handle(connection);
    return true;
  });
  await prune(pool);
  return isHandled;
}

async function prune(pool: Pool): Promise<void> {
  const nowMs = Date.now();
  if (nowMs - (prunedAtMs.get(pool) ?? 0) > pruneIntervalMs) {
    prunedAtMs.set(pool, nowMs);
    await pool
      .query("DELETE FROM inbox WHERE handled_at < CURRENT_TIMESTAMP - INTERVAL ? DAY LIMIT 10000", [
        keptDays,
      ])
      // What is left is removed an hour later.
      .catch(() => {});
  }
}
