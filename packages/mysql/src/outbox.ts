import type { ShopEvent } from "@lab/messaging";
import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { Migration } from "./migrate.ts";

/** Events that are to be published, in the order in which they were written. */
export const outboxMigration: Migration = {
  name: "outbox",
  statements: [
    `CREATE TABLE IF NOT EXISTS outbox (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
      event MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
      written_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    )`,
  ],
};

/** A row of the outbox. */
export interface OutboxRow {
  id: number;
  event: ShopEvent;
}

/** Writes events beside what they tell of, in the same transaction: both are there afterwards, or neither is. */
export async function addToOutbox(connection: Connection, events: readonly ShopEvent[]): Promise<void> {
  if (events.length > 0) {
    await connection.query<ResultSetHeader>("INSERT INTO outbox (event) VALUES ?", [
      events.map((event) => [JSON.stringify(event)]),
    ]);
  }
}

/** The oldest rows after a number, in order. */
export async function readOutbox(connection: Connection, after: number, limit: number): Promise<OutboxRow[]> {
  const [rows] = await connection.query<(RowDataPacket & { id: number; event: string })[]>(
    "SELECT id, event FROM outbox WHERE id > ? ORDER BY id LIMIT ?",
    [after, limit],
  );
  return rows.map(({ id, event }) => ({ id, event: JSON.parse(event) as ShopEvent }));
}

/**
 * Removes just these rows. Numbers are given when a row is written and appear when it is committed: a lower one may come
 * later, so `id <= …` would remove rows that nobody has seen.
 *
 * The join makes the server find each by the primary key. With `WHERE id IN (…)` it would rather read the whole table where the
 * list names much of it, which waits for rows that are not committed yet, and keeps everybody from writing new ones.
 */
export async function removeFromOutbox(connection: Connection, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) {
    await connection.query(
      `DELETE outbox FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS published
        STRAIGHT_JOIN outbox FORCE INDEX (PRIMARY) ON outbox.id = published.id`,
      [JSON.stringify(ids)],
    );
  }
}
