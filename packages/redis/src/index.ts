export { isRedisAway } from "./away.ts";
export { connectRedis, redisClient } from "./client.ts";
export { type RedisEnvironment, redisEnvironment } from "./environment.ts";
