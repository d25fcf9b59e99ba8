import { z } from "@hono/zod-openapi";
import { connectMessaging, messagingEnvironment } from "@lab/messaging";
import { connectMysql, isMysqlAway, migrateMysql, mysqlEnvironment, OutboxRelay } from "@lab/mysql";
import {
  authEnvironment,
  createApp,
  createAuth,
  createServiceTokens,
  defineService,
  observe,
  port,
  serviceTokenEnvironment,
} from "@lab/service-kit";
import { source } from "./announce.ts";
import { chainRoutes } from "./chain.ts";
import { isTransient, notificationHandlers } from "./events.ts";
import { Mailer } from "./mailer.ts";
import { migrations } from "./migrations.ts";
import { resend } from "./resend.ts";
import { notificationRoutes } from "./routes.ts";

const environment = z.object({
  ...mysqlEnvironment.shape,
  ...messagingEnvironment.shape,
  ...authEnvironment.shape,
  ...serviceTokenEnvironment.shape,
  SMTP_HOST: z.string().min(1),
  SMTP_PORT: port,
  /** The sender of all mail: an address, or a name with one in angle brackets. */
  MAIL_FROM: z.string().min(3),
  RESEND_INTERVAL_MS: z.coerce.number().int().min(10).default(10_000),
  RESEND_AFTER_MS: z.coerce.number().int().min(0).default(60_000),
});

/** Tells customers by mail what became of their orders, once for each thing that did. */
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
    const mailer = new Mailer({
      host: environment.SMTP_HOST,
      port: environment.SMTP_PORT,
      from: environment.MAIL_FROM,
    });
    const office = { pool, mailer: observe("smtp", mailer, ["send"]), relay, log };
    const consumer = messaging.consume({
      name: source,
      handlers: notificationHandlers(office),
      isTransient,
    });
    const resender = resend({
      office,
      intervalMs: environment.RESEND_INTERVAL_MS,
      afterMs: environment.RESEND_AFTER_MS,
    });

    const app = createApp({
      name,
      description: "Mails to customers about their orders, with a durable record of each in MySQL.",
      log,
      isStopping,
      backends: {
        // Reads a table, so that it is ready only once its migrations have run.
        mysql: () => pool.query("SELECT 1 FROM mails LIMIT 1"),
        messaging: () => messaging.check(),
      },
      isBackendAway: isMysqlAway,
    });
    notificationRoutes(app, pool, createAuth(environment));
    chainRoutes(app, office, createServiceTokens({ key: environment.SERVICE_TOKEN_KEY, name }));

    return {
      app,
      async close() {
        await Promise.all([consumer.close(), resender.close()]);
        await relay.close();
        await messaging.close();
        mailer.close();
        await pool.end();
      },
    };
  },
});
