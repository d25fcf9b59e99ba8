import { z } from "@hono/zod-openapi";
import { connectMessaging, erasureHandler, messagingEnvironment } from "@lab/messaging";
import { connectRedis, isRedisAway, redisClient, redisEnvironment } from "@lab/redis";
import {
  authEnvironment,
  type Context,
  createApp,
  createAuth,
  defineService,
  type Running,
} from "@lab/service-kit";
import { cartRoutes } from "./carts.ts";
import { MemoryCarts } from "./memory-carts.ts";
import { migrate } from "./migrate.ts";
import { profileKeyOf, profileRoutes } from "./profiles.ts";
import { keyOf, RedisCarts } from "./redis-carts.ts";

const environment = z.object({
  ...authEnvironment.shape,
  ...messagingEnvironment.shape,
  ...redisEnvironment.shape,
  CART_TTL_SECONDS: z.coerce.number().int().positive(),
  /** With `memory`, carts are lost with the process: to be compared. */
  CART_STORE: z.enum(["redis", "memory"]).default("redis"),
});

type Environment = z.infer<typeof environment>;

export const service = defineService({
  environment,
  async migrate({ environment, log }) {
    const redis = redisClient(environment, log);
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
  const redis = connectRedis(environment, log);
  const { SERVICE_NAME: name, CART_TTL_SECONDS: ttlSeconds } = environment;
  const messaging = connectMessaging({ environment, name, log });
  const auth = createAuth(environment);
  const isStateless = environment.CART_STORE === "redis";
  const store = isStateless ? new RedisCarts(redis, ttlSeconds) : new MemoryCarts(ttlSeconds);
  const isAway = (error: unknown) => isRedisAway(redis, error);
  const app = createApp({
    name,
    description: "Carts that expire, in Redis: the key-value model.",
    log,
    isStopping,
    backends: { redis: () => redis.ping() },
    isBackendAway: isAway,
  });
  profileRoutes(app, auth, redis);
  cartRoutes(app, { auth, store, messaging, name });
  // The carts in the memory of an instance would want an answer from that instance; they are gone with it anyhow.
  if (isStateless) {
    messaging.consume({
      name,
      handlers: erasureHandler(messaging, name, (userId) =>
        redis.del(keyOf(String(userId)), profileKeyOf(userId)),
      ),
      isTransient: isAway,
    });
  }
  return {
    app,
    async close() {
      await messaging.close();
      redis.disconnect();
    },
  };
}
