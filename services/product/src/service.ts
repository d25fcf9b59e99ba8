import { z } from "@hono/zod-openapi";
import { type Context, countCall, createApp, defineService, type Running } from "@lab/service-kit";
import { MongoClient, MongoNetworkError, MongoServerSelectionError } from "mongodb";
import { migrate } from "./migrate.ts";
import { productRoutes } from "./products.ts";
import { studentRoutes } from "./students.ts";

const environment = z.object({
  /** Without credentials: they have variables of their own. */
  MONGODB_URL: z.string().regex(/^mongodb:\/\/[^@]+$/, "must be mongodb://host:port without credentials"),
  MONGODB_DATABASE: z.string().min(1),
  MONGODB_USER: z.string().min(1).optional(),
  MONGODB_PASSWORD: z.string().min(1).optional(),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const client = clientFor(environment);
    try {
      await migrate(client.db(environment.MONGODB_DATABASE), log);
    } finally {
      await client.close();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const client = clientFor(environment);
  const database = client.db(environment.MONGODB_DATABASE);
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "Products of different shapes in MongoDB: the document model.",
    log,
    isStopping,
    backends: { mongodb: () => database.command({ ping: 1 }) },
    isBackendAway: (error) =>
      error instanceof MongoServerSelectionError || error instanceof MongoNetworkError,
  });
  studentRoutes(app, database);
  productRoutes(app, database);
  return { app, close: () => client.close() };
}

function clientFor({
  MONGODB_URL,
  MONGODB_DATABASE,
  MONGODB_USER,
  MONGODB_PASSWORD,
}: Environment): MongoClient {
  const client = new MongoClient(MONGODB_URL, {
    serverSelectionTimeoutMS: 2000,
    directConnection: true,
    ...(MONGODB_USER && {
      auth: { username: MONGODB_USER, password: MONGODB_PASSWORD },
      authSource: MONGODB_DATABASE,
    }),
    monitorCommands: true,
  });
  client.on("commandSucceeded", ({ duration }) => countCall("mongodb", duration));
  client.on("commandFailed", ({ duration }) => countCall("mongodb", duration));
  return client;
}
