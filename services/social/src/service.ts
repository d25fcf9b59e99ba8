import { z } from "@hono/zod-openapi";
import { type Context, createApp, defineService, observe, type Running } from "@lab/service-kit";
import neo4j, { type Driver, isRetryableError } from "neo4j-driver";
import { friendRoutes } from "./friends.ts";
import { migrate } from "./migrate.ts";

const environment = z.object({
  NEO4J_URL: z.string().startsWith("bolt://"),
  NEO4J_USER: z.string().min(1),
  NEO4J_PASSWORD: z.string().min(1),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const driver = driverFor(environment);
    try {
      await migrate(driver, log);
    } finally {
      await driver.close();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const driver = driverFor(environment);
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "Friends, in Neo4j: the graph model.",
    log,
    isStopping,
    backends: { neo4j: () => driver.executeQuery("RETURN 1") },
    isBackendAway: (error) => isRetryableError(error),
  });
  friendRoutes(app, driver);
  return { app, close: () => driver.close() };
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
