import { z } from "@hono/zod-openapi";
import { ServiceClient } from "@lab/discovery";
import { connectMessaging, messagingEnvironment } from "@lab/messaging";
import { connectMysql, isMysqlAway, migrateMysql, mysqlEnvironment, OutboxRelay } from "@lab/mysql";
import {
  authEnvironment,
  createApp,
  createAuth,
  createServiceTokens,
  defineService,
  serviceTokenEnvironment,
} from "@lab/service-kit";
import { orderHandlers } from "./events.ts";
import { migrations } from "./migrations.ts";
import { source } from "./outgoing.ts";
import { Counter } from "./placing.ts";
import { PriceList } from "./prices.ts";
import { reportRoutes } from "./reports.ts";
import { orderRoutes } from "./routes.ts";
import { SyncChain } from "./sync-chain.ts";

/** Longer than the product service takes for anything, shorter than a customer's patience. */
const priceTimeoutMs = 1000;

export const service = defineService({
  environment: z.object({
    ...mysqlEnvironment.shape,
    ...messagingEnvironment.shape,
    ...authEnvironment.shape,
    ...serviceTokenEnvironment.shape,
    /** How an order goes on: `async` by the queue, `sync` with the customer waiting for payment and notification. */
    CHAIN: z.enum(["async", "sync"]),
    CONSUL_URL: z.url(),
    PRODUCT_SERVICE: z.string().min(1),
    PAYMENT_SERVICE: z.string().min(1),
  }),

  async migrate({ environment, log }) {
    const pool = connectMysql(environment);
    try {
      await migrateMysql(pool, log, migrations);
    } finally {
      await pool.end();
    }
  },

  async start({ environment, log, isStopping }) {
    const { SERVICE_NAME: name, CONSUL_URL: consulUrl } = environment;
    const pool = connectMysql(environment);
    const messaging = connectMessaging({ environment, name, log });
    const relay = new OutboxRelay({ pool, messaging, log });
    const consumer = messaging.consume({
      name: source,
      handlers: orderHandlers(pool, relay),
      isTransient: isMysqlAway,
    });
    const tokens = createServiceTokens({ key: environment.SERVICE_TOKEN_KEY, name });
    const product = new ServiceClient({
      consulUrl,
      service: environment.PRODUCT_SERVICE,
      timeoutMs: priceTimeoutMs,
      log,
    });
    const payment = new ServiceClient({ consulUrl, service: environment.PAYMENT_SERVICE, tokens, log });
    const app = createApp({
      name,
      description: "Orders and their lines in MySQL, which an outbox tells the other services of.",
      log,
      isStopping,
      // Reads the newest table, so that it is ready only once its migrations have run. Orders are accepted without NATS.
      backends: { mysql: () => pool.query("SELECT 1 FROM erased_users LIMIT 1") },
      isBackendAway: isMysqlAway,
    });
    const auth = createAuth(environment);
    const counter = new Counter({
      pool,
      relay,
      prices: new PriceList({ product }),
      syncChain: environment.CHAIN === "sync" ? new SyncChain({ pool, relay, payment }) : undefined,
    });
    orderRoutes(app, { pool, auth, relay, counter });
    reportRoutes(app, pool, auth);
    return {
      app,
      async close() {
        await consumer.close();
        await relay.close();
        await Promise.all([messaging.close(), product.close(), payment.close()]);
        await pool.end();
      },
    };
  },
});
