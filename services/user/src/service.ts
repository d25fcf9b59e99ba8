import { z } from "@hono/zod-openapi";
import { type Context, createApp, defineService, type Running } from "@lab/service-kit";
import { createPool, type Pool } from "mysql2/promise";
import { migrate } from "./migrate.ts";
import { studentRoutes } from "./students.ts";
import { userRoutes } from "./users.ts";

const environment = z.object({
  MYSQL_HOST: z.string().min(1),
  MYSQL_PORT: z.coerce.number().int(),
  MYSQL_DATABASE: z.string().min(1),
  MYSQL_USER: z.string().min(1),
  MYSQL_PASSWORD: z.string().min(1),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const pool = connect(environment);
    try {
      await migrate(pool, log);
    } finally {
      await pool.end();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const pool = connect(environment);
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "Users and their addresses, joined in MySQL: the relational model.",
    log,
    isStopping,
    // Reads a table, so that it is ready only once its migrations have run.
    backends: { mysql: () => pool.query("SELECT 1 FROM users LIMIT 1") },
    isBackendAway,
  });
  studentRoutes(app, pool);
  userRoutes(app, pool);
  return { app, close: () => pool.end() };
}

function connect(environment: Environment): Pool {
  return createPool({
    host: environment.MYSQL_HOST,
    port: environment.MYSQL_PORT,
    database: environment.MYSQL_DATABASE,
    user: environment.MYSQL_USER,
    password: environment.MYSQL_PASSWORD,
    connectionLimit: 10,
    connectTimeout: 2000,
    enableKeepAlive: true,
  });
}

function isBackendAway(error: Error & { code?: string; fatal?: boolean }): boolean {
  return error.fatal === true || ["ECONNREFUSED", "PROTOCOL_CONNECTION_LOST"].includes(error.code ?? "");
}
