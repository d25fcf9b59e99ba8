import { connect, type Socket } from "node:net";
import { observe } from "@lab/service-kit";
import { createPool, type Pool, type PoolConnection } from "mysql2/promise";
import type { MysqlEnvironment } from "./environment.ts";

export interface ConnectOptions {
  /** How long the server may say nothing to a statement, which waits for locks meanwhile too. */
  maxSilenceMs?: number;
}

const connectTimeoutMs = 2000;
/** How many may wait for a connection: who comes after them is told at once that there is too much to do. */
const queueLimit = 1000;

/**
 * A pool of connections, each made when it is needed. Times are UTC both ways. Calls count as the work's calls to MySQL. One whose
 * statement gets no answer is given up, so that a server that hangs is away like one that is gone.
 */
export function connectMysql(
  environment: MysqlEnvironment,
  { maxSilenceMs = 10_000 }: ConnectOptions = {},
): Pool {
  const { MYSQL_HOST: host, MYSQL_PORT: port } = environment;
  const pool = createPool({
    host,
    port,
    database: environment.MYSQL_DATABASE,
    user: environment.MYSQL_USER,
    password: environment.MYSQL_PASSWORD,
    connectionLimit: environment.MYSQL_CONNECTIONS,
    queueLimit,
    connectTimeout: connectTimeoutMs,
    stream: () => openSocket(host, port, maxSilenceMs),
    timezone: "Z",
  });
  // The connection's first statement. One that fails here fails the next one too, which has someone to tell.
  pool.pool.on("connection", (connection) => connection.query("SET time_zone = '+00:00'", () => {}));
  return observe("mysql", pool, ["query", "execute"]);
}

/** For statements that may take as long as they like, such as an `ALTER` of a large table. */
export function allowSilence(connection: PoolConnection): void {
  (connection.connection as unknown as { stream: Socket }).stream.setTimeout(0);
}

/** The driver's own timeout of a statement leaves the connection waiting for the answer, and in the pool. */
function openSocket(host: string, port: number, maxSilenceMs: number): Socket {
  const socket = connect({ host, port, noDelay: true, keepAlive: true });
  let answeredBytes = 0;
  socket.on("data", () => {
    answeredBytes = socket.bytesWritten;
  });
  socket.setTimeout(maxSilenceMs, () => {
    if (socket.bytesWritten > answeredBytes) {
      const error = new Error(`MySQL has not answered within ${maxSilenceMs} ms.`);
      socket.destroy(Object.assign(error, { code: "ETIMEDOUT" }));
    }
  });
  return socket;
}
