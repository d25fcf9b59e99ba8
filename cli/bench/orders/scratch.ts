import { createPool, type Pool } from "mysql2/promise";
import { migrateMysql } from "../../../packages/mysql/src/index.ts";
import { migrations } from "../../../services/order/src/migrations.ts";
import type { Credentials } from "../../outputs.ts";

const database = "bench_orders";

/** A database like the order service's on the same server, which is gone afterwards. */
export interface Scratch {
  pool: Pool;
  remove(): Promise<void>;
}

/** @param connections as many as the order service may have */
export async function createScratch(
  { host, port, user, password }: Credentials,
  connections: number,
): Promise<Scratch> {
  const server = createPool({ host, port, user, password, connectionLimit: 1 });
  // One that was left by a command that was killed.
  await server.query(`DROP DATABASE IF EXISTS ${database}`);
  await server.query(`CREATE DATABASE ${database}`);
  const pool = createPool({
    host,
    port,
    user,
    password,
    database,
    connectionLimit: connections,
    timezone: "Z",
  });
  const scratch = {
    pool,
    async remove() {
      await pool.end();
      await server.query(`DROP DATABASE ${database}`);
      await server.end();
    },
  };
  try {
    await migrateMysql(pool, { info: () => {} }, migrations);
  } catch (error) {
    await scratch.remove();
    throw error;
  }
  return scratch;
}
