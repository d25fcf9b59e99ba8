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
  observe,
  serviceTokenEnvironment,
} from "@lab/service-kit";
import { source } from "./announce.ts";
import { chainRoutes } from "./chain.ts";
import { isTransient, paymentHandlers } from "./events.ts";
import { migrations } from "./migrations.ts";
import { Provider } from "./provider.ts";
import { reconcile } from "./reconcile.ts";
import { paymentRoutes } from "./routes.ts";

const environment = z.object({
  ...mysqlEnvironment.shape,
  ...messagingEnvironment.shape,
  ...authEnvironment.shape,
  ...serviceTokenEnvironment.shape,
  CONSUL_URL: z.url(),
  NOTIFICATION_SERVICE: z.string().min(1),
  PROVIDER_URL: z.url(),
  PROVIDER_API_KEY: z.string().min(1),
  PROVIDER_TIMEOUT_MS: z.coerce.number().int().min(1).default(3000),
  RECONCILE_INTERVAL_MS: z.coerce.number().int().min(10).default(5000),
  RECONCILE_AFTER_MS: z.coerce.number().int().min(0).default(20_000),
});

/** Charges for orders through the payment provider, and gives back what was charged for orders that come to nothing. */
export const service = defineService({
  environment,

  async migrate({ environment, log }) {
    const pool = connectMysql(environment);
    try {
      await migrateMysql(pool, log, migrations);
    } finally {
      await pool.end();
    }
  },

  async start({ environment, log, isStopping }) {
    const name = environment.SERVICE_NAME;
    const pool = connectMysql(environment);
    const messaging = connectMessaging({ environment, name, log });
    const relay = new OutboxRelay({ pool, messaging, log });
    const provider = observe(
      "http:payment-provider",
      new Provider({
        url: environment.PROVIDER_URL,
        apiKey: environment.PROVIDER_API_KEY,
        timeoutMs: environment.PROVIDER_TIMEOUT_MS,
      }),
      ["charge", "find", "refund"],
    );
    const desk = { pool, provider, relay, log };
    const tokens = createServiceTokens({ key: environment.SERVICE_TOKEN_KEY, name });
    const notification = new ServiceClient({
      consulUrl: environment.CONSUL_URL,
      service: environment.NOTIFICATION_SERVICE,
      tokens,
      log,
    });
    // Whichever chain the orders come by: refunds and erasures are asked for by events in both.
    const consumer = messaging.consume({ name: source, handlers: paymentHandlers(desk), isTransient });
    const confirmation = { pool, log, notification };
    const reconciler = reconcile({
      desk,
      confirmation,
      intervalMs: environment.RECONCILE_INTERVAL_MS,
      afterMs: environment.RECONCILE_AFTER_MS,
    });

    const app = createApp({
      name,
      description: "Payments through an outside provider, in MySQL: charged once, or given back.",
      log,
      isStopping,
      // Reads the newest table, so that it is ready only once its migrations have run.
      backends: { mysql: () => pool.query("SELECT 1 FROM erased_users LIMIT 1") },
      isBackendAway: isMysqlAway,
    });
    paymentRoutes(app, pool, createAuth(environment));
    chainRoutes(app, desk, confirmation, tokens);

    return {
      app,
      async close() {
        await Promise.all([consumer.close(), reconciler.close()]);
        await relay.close();
        await Promise.all([messaging.close(), notification.close()]);
        await pool.end();
      },
    };
  },
});
