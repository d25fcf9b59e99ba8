import { z } from "@hono/zod-openapi";
import { connectMessaging, messagingEnvironment } from "@lab/messaging";
import {
  connectMysql,
  handleOnce,
  isMysqlAway,
  migrateMysql,
  mysqlEnvironment,
  OutboxRelay,
  transaction,
} from "@lab/mysql";
import {
  authEnvironment,
  type Context,
  createApp,
  createAuth,
  defineService,
  type Running,
} from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { accountRoutes } from "./accounts.ts";
import { ensureAdministrator } from "./administrator.ts";
import { erasersSetting, erasureRoutes, recordErasedData } from "./erasures.ts";
import { keyRoutes } from "./key-routes.ts";
import { migrations } from "./migrations.ts";
import { createSealing } from "./sealing.ts";
import { SigningKeys } from "./signing-keys.ts";
import { studentRoutes } from "./students.ts";
import { createTokens } from "./tokens.ts";
import type { Write } from "./user.ts";
import { userRoutes } from "./users.ts";

const environment = mysqlEnvironment
  .extend(messagingEnvironment.shape)
  .extend(authEnvironment.shape)
  .extend({
    /** Seals the private keys in the database. */
    KEY_ENCRYPTION_KEY: z.string().min(32),
    ADMIN_EMAIL: z.email(),
    ADMIN_PASSWORD: z.string().min(8),
    TOKEN_TTL_SECONDS: z.coerce.number().int().min(60).default(3600),
    KEY_LIFETIME_SECONDS: z.coerce.number().int().min(60).default(86_400),
    ERASERS: erasersSetting,
  });

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const pool = connectMysql(environment);
    try {
      await migrateMysql(pool, log, migrations);
      await keysOf(environment, pool).ensure();
      const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = environment;
      await ensureAdministrator(pool, { email, password }, log);
    } finally {
      await pool.end();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const pool = connectMysql(environment);
  const messaging = connectMessaging({ environment, name: environment.SERVICE_NAME, log });
  const relay = new OutboxRelay({ pool, messaging, log });
  messaging.consume({
    name: "user",
    handlers: {
      async "user.data-erased.v1"(event) {
        await handleOnce(pool, event, (connection) => recordErasedData(connection, event.data));
      },
    },
    isTransient: isMysqlAway,
  });
  const write: Write = async (run) => {
    const result = await transaction(pool, run);
    relay.wake();
    return result;
  };
  const auth = createAuth(environment);
  const keys = keysOf(environment, pool);
  const issue = createTokens({
    keys,
    issuer: environment.JWT_ISSUER,
    audience: environment.JWT_AUDIENCE,
    ttlSeconds: environment.TOKEN_TTL_SECONDS,
  });
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "People, who they are and where they live, joined in MySQL: the relational model.",
    log,
    isStopping,
    // Reads a table, so that it is ready only once its migrations have run.
    backends: { mysql: () => pool.query("SELECT 1 FROM signing_keys LIMIT 1") },
    isBackendAway: isMysqlAway,
  });
  // Paths of one word before those with an id in its place.
  accountRoutes(app, { pool, write, auth, issue });
  keyRoutes(app, { keys, auth });
  studentRoutes(app, { pool, auth });
  erasureRoutes(app, { pool, write, auth, erasers: environment.ERASERS });
  userRoutes(app, { pool, write, auth });
  return {
    app,
    async close() {
      await relay.close();
      await messaging.close();
      await pool.end();
    },
  };
}

function keysOf(environment: Environment, pool: Pool): SigningKeys {
  return new SigningKeys({
    pool,
    sealing: createSealing(environment.KEY_ENCRYPTION_KEY),
    lifetimeMs: environment.KEY_LIFETIME_SECONDS * 1000,
    tokenTtlMs: environment.TOKEN_TTL_SECONDS * 1000,
  });
}
