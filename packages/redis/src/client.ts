import { type Logger, measure } from "@lab/service-kit";
import { Redis, type RedisOptions } from "ioredis";
import type { RedisEnvironment } from "./environment.ts";

/**
 * A client that connects from now on, and again for as long as it takes; meanwhile its commands fail at once.
 *
 * @param options other than the usual ones
 */
export function connectRedis(environment: RedisEnvironment, log: Logger, options?: RedisOptions): Redis {
  const redis = redisClient(environment, log, options);
  redis.connect().catch(() => undefined);
  return redis;
}

/** As `connectRedis`, but one that waits to be told to connect, for somebody who can do nothing before. */
export function redisClient(
  { REDIS_HOST, REDIS_PORT, REDIS_USER, REDIS_PASSWORD }: RedisEnvironment,
  log: Logger,
  options: RedisOptions = {},
): Redis {
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
    ...options,
  });
  redis.on("error", (error) => log.debug({ err: error }, "redis"));
  // Every command comes through here, also those of a transaction, which are then counted one by one.
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => measure("redis", () => send(command, stream));
  return redis;
}
