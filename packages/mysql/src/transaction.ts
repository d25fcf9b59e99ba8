import { observe } from "@lab/service-kit";
import type { Pool, PoolConnection } from "mysql2/promise";
import { isConflict } from "./errors.ts";

const maxTries = 4;
const statements = ["beginTransaction", "query", "execute", "commit", "rollback"] as const;

/**
 * Runs statements in one transaction: all of them count once this has resolved, none if it throws. An error of the
 * connection during COMMIT leaves it open which: who tries again must be able to tell.
 *
 * The server undoes a transaction that is in a deadlock (1213) or waits for a lock for too long (1205); it is tried again,
 * up to three times, so the function may be called more than once and should do nothing but statements.
 */
export async function transaction<T>(
  pool: Pool,
  run: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await once(pool, run);
    } catch (error) {
      if (!isConflict(error) || tries === maxTries) {
        throw error;
      }
    }
  }
}

async function once<T>(pool: Pool, run: (connection: PoolConnection) => Promise<T>): Promise<T> {
  const connection = observe("mysql", await pool.getConnection(), statements);
  try {
    await connection.beginTransaction();
    const result = await run(connection);
    await connection.commit();
    connection.release();
    return result;
  } catch (error) {
    try {
      await connection.rollback();
      connection.release();
    } catch {
      // Whatever its state is: with it the transaction ends.
      connection.destroy();
    }
    throw error;
  }
}
