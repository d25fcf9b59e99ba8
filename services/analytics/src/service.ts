import { z } from "@hono/zod-openapi";
import { type Context, createApp, defineService, observe, type Running } from "@lab/service-kit";
import { auth, Client, errors, policies } from "cassandra-driver";
import { eventRoutes } from "./events.ts";
import { migrate } from "./migrate.ts";
import { rowRoutes } from "./rows.ts";

const environment = z.object({
  CASSANDRA_HOST: z.string().min(1),
  CASSANDRA_PORT: z.coerce.number().int(),
  CASSANDRA_DATACENTER: z.string().min(1),
  CASSANDRA_KEYSPACE: z.string().min(1),
  CASSANDRA_USER: z.string().min(1),
  CASSANDRA_PASSWORD: z.string().min(1),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const client = clientFor(environment);
    try {
      await migrate(client, log);
    } finally {
      await client.shutdown();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const client = clientFor(environment);
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "Events in wide rows, in Cassandra: the column-family model.",
    log,
    isStopping,
    // Reads a table, so that it is ready only once its migrations have run.
    backends: { cassandra: () => client.execute("SELECT id FROM users LIMIT 1") },
    isBackendAway: (error) =>
      error instanceof errors.NoHostAvailableError || error instanceof errors.OperationTimedOutError,
  });
  eventRoutes(app, client);
  rowRoutes(app, client);
  return { app, close: () => client.shutdown() };
}

function clientFor(environment: Environment): Client {
  const client = new Client({
    contactPoints: [`${environment.CASSANDRA_HOST}:${environment.CASSANDRA_PORT}`],
    localDataCenter: environment.CASSANDRA_DATACENTER,
    keyspace: environment.CASSANDRA_KEYSPACE,
    authProvider: new auth.PlainTextAuthProvider(environment.CASSANDRA_USER, environment.CASSANDRA_PASSWORD),
    socketOptions: { connectTimeout: 2000, readTimeout: 5000 },
    // A single server that was restarted is to be found again at once, not after a growing pause.
    policies: { reconnection: new policies.reconnection.ConstantReconnectionPolicy(500) },
    queryOptions: { prepare: true },
  });
  return observe("cassandra", client, ["execute", "batch"]);
}
