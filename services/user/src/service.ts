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
import { connectRedis, redisEnvironment } from "@lab/redis";
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
import { logoutRoute } from "./logout.ts";
import { migrations } from "./migrations.ts";
import { Revocations } from "./revocations.ts";
import { createSealing } from "./sealing.ts";
import { SigningKeys } from "./signing-keys.ts";
import { studentRoutes } from "./students.ts";
import { createTokens } from "./tokens.ts";
import type { Write } from "./user.ts";
import { userRoutes } from "./users.ts";

const environment = mysqlEnvironment
  .extend(messagingEnvironment.shape)
  .extend(authEnvironment.shape)
  .extend(redisEnvironment.shape)
  .extend({
    /** Whose tokens people get when they log in, and for whom: the gateway, which sends others on to the services. */
    TOKEN_ISSUER: z.string().min(1),
    TOKEN_AUDIENCE: z.string().min(1),
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
    issuer: environment.TOKEN_ISSUER,
    audience: environment.TOKEN_AUDIENCE,
    ttlSeconds: environment.TOKEN_TTL_SECONDS,
  });
  const redis = connectRedis(environment, log);
  const revocations = new Revocations({ redis, tokenTtlMs: environment.TOKEN_TTL_SECONDS * 1000 });
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "People, who they are and where they live, joined in MySQL: the relational model.",
    log,
    isStopping,
    // Reads a table, so that it is ready only once its migrations have run. Without Redis only log-outs and erasures fail.
    backends: { mysql: () => pool.query("SELECT 1 FROM signing_keys LIMIT 1") },
    isBackendAway: isMysqlAway,
  });
  // Paths of one word before those with an id in its place.
  accountRoutes(app, { pool, write, auth, issue });
  logoutRoute(app, { auth, revocations });
  keyRoutes(app, { keys, auth });
  studentRoutes(app, { pool, auth });
  erasureRoutes(app, { pool, write, auth, revocations, erasers: environment.ERASERS });
  userRoutes(app, { pool, write, auth });
  return {
    app,
    async close() {
      await relay.close();
      await messaging.close();
      await pool.end();
      redis.disconnect();
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
