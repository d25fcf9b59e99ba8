import { z } from "@hono/zod-openapi";
import { connectMessaging, messagingEnvironment } from "@lab/messaging";
import {
  authEnvironment,
  type Context,
  createApp,
  createAuth,
  defineService,
  observe,
  port,
  type Running,
} from "@lab/service-kit";
import { Client, auth as cassandraAuth, policies } from "cassandra-driver";
import { isCassandraAway } from "./away.ts";
import { eventRoutes } from "./events.ts";
import { eventHandlers } from "./handlers.ts";
import { History } from "./history.ts";
import { migrate } from "./migrate.ts";
import { rowRoutes } from "./rows.ts";
import { Sales, salesRoutes } from "./sales.ts";

const environment = z.object({
  ...authEnvironment.shape,
  ...messagingEnvironment.shape,
  CASSANDRA_HOST: z.string().min(1),
  CASSANDRA_PORT: port,
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
  const name = environment.SERVICE_NAME;
  const client = clientFor(environment);
  const messaging = connectMessaging({ environment, name, log });
  const auth = createAuth(environment);
  const history = new History(client);
  const sales = new Sales(client);
  const app = createApp({
    name,
    description: "Events in wide rows, in Cassandra: the column-family model.",
    log,
    isStopping,
    backends: {
      // Reads a table, so that it is ready only once its migrations have run.
      cassandra: () => client.execute("SELECT day FROM sales LIMIT 1"),
      messaging: () => messaging.check(),
    },
    isBackendAway: isCassandraAway,
  });
  eventRoutes(app, auth, history);
  salesRoutes(app, auth, sales);
  rowRoutes(app, auth, client);
  messaging.consume({
    name,
    handlers: eventHandlers(messaging, name, history, sales),
    isTransient: isCassandraAway,
  });
  return {
    app,
    async close() {
      await messaging.close();
      await client.shutdown();
    },
  };
}

function clientFor(environment: Environment): Client {
  const client = new Client({
    contactPoints: [`${environment.CASSANDRA_HOST}:${environment.CASSANDRA_PORT}`],
    localDataCenter: environment.CASSANDRA_DATACENTER,
    keyspace: environment.CASSANDRA_KEYSPACE,
    authProvider: new cassandraAuth.PlainTextAuthProvider(
      environment.CASSANDRA_USER,
      environment.CASSANDRA_PASSWORD,
    ),
    socketOptions: { connectTimeout: 2000, readTimeout: 5000 },
    // A single server that was restarted is to be found again at once, not after a growing pause.
    policies: { reconnection: new policies.reconnection.ConstantReconnectionPolicy(500) },
    queryOptions: { prepare: true },
  });
  return observe("cassandra", client, ["execute", "batch"]);
}
