import type { Redis } from "ioredis";
import type { Data } from "../data.ts";

/** Makes a key a person, and a set a city: the index that nobody but the application keeps. */
export async function loadRedis(redis: Redis, data: Data): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { id, ...person } of data.people) {
    pipeline.set(`demo:person:${id}`, JSON.stringify(person));
    pipeline.sadd(`demo:city:${person.city}`, `demo:person:${id}`);
  }
  await pipeline.exec();
}

export async function removeFromRedis(redis: Redis): Promise<void> {
  for await (const keys of redis.scanStream({ match: "demo:*", count: 500 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) {
      await redis.unlink(keys);
    }
  }
}
