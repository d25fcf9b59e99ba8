import { observe } from "@lab/service-kit";
import { createPool, type Pool } from "mysql2/promise";
import type { MysqlEnvironment } from "./environment.ts";

const connectTimeoutMs = 2000;

/** A pool of connections, each made when it is needed. Times are UTC both ways. Calls count as the work's calls to MySQL. */
export function connectMysql(environment: MysqlEnvironment): Pool {
  const pool = createPool({
    host: environment.MYSQL_HOST,
    port: environment.MYSQL_PORT,
    database: environment.MYSQL_DATABASE,
    user: environment.MYSQL_USER,
    password: environment.MYSQL_PASSWORD,
    connectionLimit: environment.MYSQL_CONNECTIONS,
    connectTimeout: connectTimeoutMs,
    enableKeepAlive: true,
    timezone: "Z",
  });
  // The connection's first statement. One that fails here fails the next one too, which has someone to tell.
  pool.pool.on("connection", (connection) => connection.query("SET time_zone = '+00:00'", () => {}));
  return observe("mysql", pool, ["query", "execute"]);
}
