import type { Logger } from "@lab/service-kit";
import type { Redis } from "ioredis";

/**
 * Keys have no schema, but a rule: every cart expires. This gives an expiry to those that have none. It touches no other key,
 * and can be repeated, also by several at once.
 */
export async function migrate(redis: Redis, ttlSeconds: number, log: Logger): Promise<void> {
  let carts = 0;
  for await (const keys of redis.scanStream({ match: "cart:*", count: 500 })) {
    const pipeline = redis.pipeline();
    for (const key of keys as string[]) {
      pipeline.expire(key, ttlSeconds, "NX");
    }
    for (const [error, changed] of (await pipeline.exec()) ?? []) {
      if (error) {
        throw error;
      }
      carts += Number(changed);
    }
  }
  log.info({ carts }, "every cart expires");
}
