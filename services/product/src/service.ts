import { setTimeout as delay } from "node:timers/promises";
import { z } from "@hono/zod-openapi";
import { connectMessaging, erasureHandler, messagingEnvironment } from "@lab/messaging";
import {
  authEnvironment,
  type Context,
  countCall,
  createApp,
  createAuth,
  defineService,
  type Logger,
  type Running,
} from "@lab/service-kit";
import { MongoClient } from "mongodb";
import { isMongodbAway } from "./away.ts";
import { Catalog } from "./catalog.ts";
import { migrate } from "./migrate.ts";
import { Orders } from "./orders.ts";
import { productRoutes } from "./products.ts";
import { reservationRoutes } from "./reservations.ts";
import { givenUpMs, Stock } from "./stock.ts";
import { studentRoutes } from "./students.ts";

const environment = z.object({
  ...authEnvironment.shape,
  ...messagingEnvironment.shape,
  /** Without credentials: they have variables of their own. */
  MONGODB_URL: z.string().regex(/^mongodb:\/\/[^@]+$/, "must be mongodb://host:port without credentials"),
  MONGODB_DATABASE: z.string().min(1),
  MONGODB_USER: z.string().min(1).optional(),
  MONGODB_PASSWORD: z.string().min(1).optional(),
});

type Environment = z.infer<typeof environment>;

const recoverAgainMs = 1000;

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
  const name = environment.SERVICE_NAME;
  const client = clientFor(environment);
  const database = client.db(environment.MONGODB_DATABASE);
  const messaging = connectMessaging({ environment, name, log });
  const auth = createAuth(environment);
  const catalog = new Catalog(database);
  const stock = new Stock(database, (sku) => catalog.stockOf(sku));
  const app = createApp({
    name,
    description: "Products of different shapes in MongoDB: the document model.",
    log,
    isStopping,
    backends: { mongodb: () => database.command({ ping: 1 }) },
    isBackendAway: isMongodbAway,
  });
  studentRoutes(app, auth, database);
  productRoutes(app, { auth, catalog, messaging, name });
  reservationRoutes(app, { auth, catalog, stock });
  messaging.consume({
    name,
    handlers: {
      ...new Orders(database, stock, messaging, name).handlers(),
      // Neither orders nor reservations say here whose they are.
      ...erasureHandler(messaging, name, async () => 0),
    },
    isTransient: isMongodbAway,
  });
  const recovery = new AbortController();
  const recovered = recoverTwice(stock, log, recovery.signal);
  return {
    app,
    async close() {
      recovery.abort();
      await messaging.close();
      await client.close();
      await recovered;
    },
  };
}

/** Once at the start, and once when nobody waits any more for what the process before has cut short. */
async function recoverTwice(stock: Stock, log: Logger, signal: AbortSignal): Promise<void> {
  await recover(stock, log, signal);
  await delay(givenUpMs, undefined, { signal }).catch(() => undefined);
  await recover(stock, log, signal);
}

/** Waits for the database for as long as it takes; the service is of use meanwhile. */
async function recover(stock: Stock, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      return await stock.recover(log);
    } catch (error) {
      if (!signal.aborted && !isMongodbAway(error)) {
        log.error({ err: error }, "reservations that were cut short can't be completed");
        return;
      }
      await delay(recoverAgainMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

function clientFor({
  MONGODB_URL,
  MONGODB_DATABASE,
  MONGODB_USER,
  MONGODB_PASSWORD,
}: Environment): MongoClient {
  const client = new MongoClient(MONGODB_URL, {
    serverSelectionTimeoutMS: 2000,
    // One that accepts connections and answers nothing is away as well.
    socketTimeoutMS: 10_000,
    waitQueueTimeoutMS: 5000,
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
