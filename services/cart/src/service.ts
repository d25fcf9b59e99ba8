import { z } from "@hono/zod-openapi";
import { type Context, createApp, defineService, measure, type Running } from "@lab/service-kit";
import { Redis } from "ioredis";
import { cartRoutes } from "./carts.ts";
import { migrate } from "./migrate.ts";
import { profileRoutes } from "./profiles.ts";

const environment = z.object({
  REDIS_HOST: z.string().min(1),
  REDIS_PORT: z.coerce.number().int(),
  REDIS_USER: z.string().min(1),
  REDIS_PASSWORD: z.string().min(1),
  CART_TTL_SECONDS: z.coerce.number().int().positive(),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const redis = clientFor(environment);
    try {
      await redis.connect();
      await migrate(redis, environment.CART_TTL_SECONDS, log);
    } finally {
      redis.disconnect();
    }
  },
  start,
});

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const redis = clientFor(environment);
  redis.on("error", (error) => log.debug({ err: error }, "redis"));
  redis.connect().catch(() => undefined);
  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "Carts that expire, in Redis: the key-value model.",
    log,
    isStopping,
    backends: { redis: () => redis.ping() },
    isBackendAway: () => redis.status !== "ready",
  });
  profileRoutes(app, redis);
  cartRoutes(app, redis, environment.CART_TTL_SECONDS);
  return {
    app,
    async close() {
      redis.disconnect();
    },
  };
}

/** Connects again for as long as it takes; meanwhile commands fail at once instead of waiting in a queue. */
function clientFor({ REDIS_HOST, REDIS_PORT, REDIS_USER, REDIS_PASSWORD }: Environment): Redis {
  const redis = new Redis({
    host: REDIS_HOST,
    port: REDIS_PORT,
    username: REDIS_USER,
    password: REDIS_PASSWORD,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
    commandTimeout: 2000,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
  });
  // Every command comes through here, also those of a transaction, which are then counted one by one.
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => measure("redis", () => send(command, stream));
  return redis;
}
