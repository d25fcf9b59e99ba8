import { Redis } from "ioredis";
import type { Credentials } from "../outputs.ts";
import { wordsOf } from "./redis-words.ts";
import { connectWithinMs, type Session } from "./session.ts";

/** Redis commands, as the administrator. */
export async function redis(credentials: Credentials): Promise<Session> {
  const client = await connectRedis(credentials);
  return {
    async run(statement) {
      const [command = "", ...args] = wordsOf(statement);
      const answer = await client.call(command, ...args);
      return { value: answer === null ? "(nil)" : answer };
    },
    async close() {
      client.disconnect();
    },
  };
}

/** A client that gives up at once instead of trying again. */
export async function connectRedis({ host, port, user, password }: Credentials): Promise<Redis> {
  const client = new Redis({
    host,
    port,
    username: user,
    password,
    lazyConnect: true,
    connectTimeout: connectWithinMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // Without a listener ioredis prints what `connect` throws anyhow.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
