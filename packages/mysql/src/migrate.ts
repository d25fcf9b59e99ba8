import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@lab/service-kit";
import type { Connection, Pool, RowDataPacket } from "mysql2/promise";
import { isConflict } from "./errors.ts";
import { allowSilence } from "./pool.ts";

/** A step of a schema, run once. One that was released is never changed: add another after it. */
export interface Migration {
  /** At most 100 characters. */
  name: string;
  /** Can be repeated: `IF NOT EXISTS` and the like. */
  statements: string[];
}

/** How long one waits for another that migrates. */
const lockSeconds = 60;
/** How long a statement waits for a table that a transaction uses: so long everybody else who wants it waits behind. */
const tableLockSeconds = 1;
const tableLockRetryMs = 500;
const maxTableLockTries = 100;

/**
 * Runs the migrations that the database has not seen, in their order. One at a time does so: a named lock of the server
 * keeps the others waiting, and is gone with the connection of one that dies. MySQL commits each `CREATE` and `ALTER` by
 * itself, so the statements are repeated after a crash between them.
 */
export async function migrateMysql(
  pool: Pool,
  log: Pick<Logger, "info">,
  migrations: readonly Migration[],
): Promise<void> {
  const connection = await pool.getConnection();
  allowSilence(connection);
  try {
    const [[lock]] = await connection.query<RowDataPacket[]>(
      "SELECT GET_LOCK(CONCAT(DATABASE(), '.migrations'), ?) AS taken",
      [lockSeconds],
    );
    if (lock?.taken !== 1) {
      throw new Error(`Another migration has held the lock for ${lockSeconds} s.`);
    }
    await connection.query(
      `CREATE TABLE IF NOT EXISTS migrations (
        name VARCHAR(100) NOT NULL PRIMARY KEY,
        applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
      )`,
    );
    const [rows] = await connection.query<RowDataPacket[]>("SELECT name FROM migrations");
    const applied = new Set(rows.map(({ name }) => name));
    await connection.query("SET SESSION lock_wait_timeout = ?", [tableLockSeconds]);
    for (const { name, statements } of migrations.filter((migration) => !applied.has(migration.name))) {
      for (const statement of statements) {
        await change(connection, statement);
      }
      await connection.query("INSERT INTO migrations (name) VALUES (?)", [name]);
      log.info({ migration: name }, "migrated");
    }
  } finally {
    // Ends the connection, and with it the lock.
    connection.destroy();
  }
}

/** Makes way for the requests that have queued up behind it, and tries again, while a transaction uses the table. */
async function change(connection: Connection, statement: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await connection.query(statement);
      return;
    } catch (error) {
      if (!isConflict(error) || tries === maxTableLockTries) {
        throw error;
      }
    }
    await delay(tableLockRetryMs);
  }
}
