import type { Client } from "cassandra-driver";
import type { Redis } from "ioredis";
import type { Db } from "mongodb";
import type { Connection, RowDataPacket } from "mysql2/promise";
import type { Driver } from "neo4j-driver";
import { LabError } from "../../errors.ts";
import type { Outputs, StoreName } from "../../outputs.ts";
import { connectCassandra } from "../../query/cassandra.ts";
import { connectMongodb } from "../../query/mongodb.ts";
import { connectMysql } from "../../query/mysql.ts";
import { connectNeo4j } from "../../query/neo4j.ts";
import { connectRedis } from "../../query/redis.ts";
import type { Data } from "./data.ts";
import { loadCassandra, removeFromCassandra } from "./scratch/cassandra.ts";
import { loadMongodb, removeFromMongodb } from "./scratch/mongodb.ts";
import { loadMysql, removeFromMysql } from "./scratch/mysql.ts";
import { loadNeo4j, removeFromNeo4j } from "./scratch/neo4j.ts";
import { loadRedis, removeFromRedis } from "./scratch/redis.ts";

/** The five stores, as the administrator. */
export interface Stores {
  mysql: Connection;
  mongodb: Db;
  cassandra: Client;
  redis: Redis;
  neo4j: Driver;
}

/**
 * Opens the stores for as long as `use` takes, with a lock so that two demonstrations don't meet in the same scratch places.
 *
 * @throws LabError when a store can't be reached, or another demonstration runs
 */
export async function withStores<T>(outputs: Outputs, use: (stores: Stores) => Promise<T>): Promise<T> {
  const { credentials, mongodbServer } = outputs;
  await using closing = new AsyncDisposableStack();
  const open = async <C>(name: StoreName, connect: () => Promise<C>, close: (connection: C) => unknown) => {
    try {
      return closing.adopt(await connect(), async (connection) => {
        await close(connection);
      });
    } catch (error) {
      throw new LabError(
        "missing",
        "not-reachable",
        `${name} can't be reached: ${(error as Error).message}`,
        "./lab status shows whether it runs.",
      );
    }
  };
  const nowhere = { database: undefined };
  const mysql = await open(
    "mysql",
    () => connectMysql({ ...credentials.mysql, ...nowhere }),
    (connection) => connection.end(),
  );
  const mongodb = await open(
    "mongodb",
    () => connectMongodb({ ...credentials.mongodb, database: "demo" }, mongodbServer),
    (client) => client.close(),
  );
  const cassandra = await open(
    "cassandra",
    () => connectCassandra({ ...credentials.cassandra, ...nowhere }),
    (client) => client.shutdown(),
  );
  const redis = await open(
    "redis",
    () => connectRedis(credentials.redis),
    (client) => client.disconnect(),
  );
  const neo4j = await open(
    "neo4j",
    () => connectNeo4j(credentials.neo4j),
    (driver) => driver.close(),
  );
  const [[lock]] = await mysql.query<RowDataPacket[]>("SELECT GET_LOCK('lab demo storage', 0) AS has");
  if (lock?.has !== 1) {
    throw new LabError(
      "failed",
      "busy",
      "Another ./lab demo storage runs on this stack.",
      "Wait until it is done, and run this again.",
    );
  }
  return await use({ mysql, mongodb: mongodb.db("demo"), cassandra, redis, neo4j });
}

const loaders: Record<StoreName, (stores: Stores, data: Data) => Promise<void>> = {
  mysql: ({ mysql }, data) => loadMysql(mysql, data),
  mongodb: ({ mongodb }, data) => loadMongodb(mongodb, data),
  cassandra: ({ cassandra }, data) => loadCassandra(cassandra, data),
  redis: ({ redis }, data) => loadRedis(redis, data),
  neo4j: ({ neo4j }, data) => loadNeo4j(neo4j, data),
};

/** Loads the same data into each. */
export async function load(
  stores: Stores,
  data: Data,
  done: (store: StoreName, ms: number) => void,
): Promise<void> {
  for (const [name, loader] of Object.entries(loaders) as Array<[StoreName, (typeof loaders)[StoreName]]>) {
    const startedMs = performance.now();
    await loader(stores, data);
    done(name, performance.now() - startedMs);
  }
}

/** Removes what {@link load} has made, or what one that was killed has left; each store is tried, whatever the others do. */
export async function remove({ mysql, mongodb, cassandra, redis, neo4j }: Stores): Promise<void> {
  const outcomes = await Promise.allSettled([
    removeFromMysql(mysql),
    removeFromMongodb(mongodb),
    removeFromCassandra(cassandra),
    removeFromRedis(redis),
    removeFromNeo4j(neo4j),
  ]);
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed) {
    throw (failed as PromiseRejectedResult).reason;
  }
}
