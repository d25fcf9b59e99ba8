import { z } from "@hono/zod-openapi";
import { connectMessaging, erasureHandler, type Handlers, messagingEnvironment } from "@lab/messaging";
import {
  authEnvironment,
  type Context,
  createApp,
  createAuth,
  defineService,
  observe,
  type Running,
} from "@lab/service-kit";
import neo4j, { type Driver } from "neo4j-driver";
import { Graph, isNeo4jAway } from "./graph.ts";
import { migrate } from "./migrate.ts";
import { People } from "./people.ts";
import { Purchases } from "./purchases.ts";
import { socialRoutes } from "./routes.ts";

const environment = z.object({
  ...authEnvironment.shape,
  ...messagingEnvironment.shape,
  NEO4J_URL: z.string().regex(/^bolt:\/\/[^@/]+:\d+$/, "must be bolt://host:port without credentials"),
  NEO4J_USER: z.string().min(1),
  NEO4J_PASSWORD: z.string().min(1),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const driver = driverFor(environment);
    try {
      await migrate(new Graph(driver), log);
    } finally {
      await driver.close();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const name = environment.SERVICE_NAME;
  const driver = driverFor(environment);
  const graph = new Graph(driver);
  const people = new People(graph);
  const purchases = new Purchases(graph);
  const messaging = connectMessaging({ environment, name, log });
  const app = createApp({
    name,
    description: "Friends, in Neo4j: the graph model.",
    log,
    isStopping,
    backends: { neo4j: () => graph.ask("RETURN 1 AS one") },
    isBackendAway: isNeo4jAway,
  });
  socialRoutes(app, { auth: createAuth(environment), people, purchases });
  messaging.consume({
    name,
    handlers: {
      ...peopleHandlers(people),
      ...purchases.handlers(),
      ...erasureHandler(messaging, name, (userId) => people.erase(userId)),
    },
    isTransient: isNeo4jAway,
  });
  return {
    app,
    async close() {
      await messaging.close();
      await driver.close();
    },
  };
}

function peopleHandlers(people: People): Handlers {
  const put = async ({ data: { userId: id, name } }: { data: { userId: number; name: string } }) => {
    await people.put({ id, name });
  };
  return { "user.registered.v1": put, "user.changed.v1": put };
}

function driverFor({ NEO4J_URL, NEO4J_USER, NEO4J_PASSWORD }: Environment): Driver {
  const driver = neo4j.driver(NEO4J_URL, neo4j.auth.basic(NEO4J_USER, NEO4J_PASSWORD), {
    disableLosslessIntegers: true,
    connectionTimeout: 2000,
    connectionAcquisitionTimeout: 2500,
    // A caller who gets 503 can try again; one who waits half a minute can do nothing.
    maxTransactionRetryTime: 1000,
    telemetryDisabled: true,
  });
  return observe("neo4j", driver, ["executeQuery"]);
}
