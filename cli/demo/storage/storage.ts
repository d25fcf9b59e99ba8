import { cpus, totalmem } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { RowDataPacket } from "mysql2/promise";
import { locateTools } from "../../../toolchain/tools.ts";
import { LabError } from "../../errors.ts";
import type { Outputs, StoreName } from "../../outputs.ts";
import { demoData } from "./data.ts";
import { measure } from "./measure.ts";
import type { Model, Question, Result } from "./question.ts";
import { document } from "./questions/document.ts";
import { graph } from "./questions/graph.ts";
import { keyValue } from "./questions/key-value.ts";
import { relational } from "./questions/relational.ts";
import { wideColumn } from "./questions/wide-column.ts";
import { load, remove, type Stores, withStores } from "./stores.ts";
import { inMs, short } from "./words.ts";

/** For each storage model, what it answers best and what badly. */
export const questions: readonly Question[] = [
  ...relational,
  ...document,
  ...keyValue,
  ...wideColumn,
  ...graph,
];

/** What `lab demo storage` found. */
export interface StorageReport {
  machine: { cpu: string; cores: number; memoryBytes: number; node: string };
  servers: Record<StoreName, Server>;
  rows: Record<string, number>;
  questions: Answered[];
}

export interface Server {
  name: string;
  version: string;
}

/** A question, with what each store made of it. */
export interface Answered {
  model: Model;
  side: Question["side"];
  text: string;
  results: Result[];
  lesson: string;
}

/**
 * Loads the same data into all stores, puts the questions to them, and removes the data whatever happens.
 *
 * @param say told what is going on
 * @throws LabError when stores give different answers to the same question
 */
export async function demoStorage(
  outputs: Outputs,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<StorageReport> {
  const data = demoData();
  return withStores(outputs, async (stores) => {
    // What a demonstration that was killed has left.
    await remove(stores);
    try {
      const servers = await serversOf(stores, outputs);
      await load(stores, data, (store, ms) => {
        say(`  loaded into ${servers[store].name}: ${inMs(ms)}`);
        signal.throwIfAborted();
      });
      const answered: Answered[] = [];
      for (const question of questions) {
        say(`  ${question.text}`);
        answered.push(await answer(question, stores, servers, signal));
      }
      return {
        machine: {
          cpu: cpus()[0]?.model ?? "unknown",
          cores: cpus().length,
          memoryBytes: totalmem(),
          node: process.version,
        },
        servers,
        rows: {
          people: data.people.length,
          products: data.products.length,
          orders: data.orders.length,
          orderLines: data.orders.flatMap(({ lines }) => lines).length,
          counts: data.counts.flatMap(({ values }) => Object.keys(values)).length,
          friendships: data.friendships.length,
        },
        questions: answered,
      };
    } finally {
      await remove(stores);
    }
  });
}

async function answer(
  { model, side, text, asks, lesson }: Question,
  stores: Stores,
  servers: StorageReport["servers"],
  signal: AbortSignal,
): Promise<Answered> {
  const named = Object.values(asks).map((ask) => ({
    ...ask,
    name: servers[ask.store].name + (ask.way ? ` (${ask.way})` : ""),
  }));
  const results = await measure(named, stores, signal);
  const [first, ...others] = results.filter(({ refused }) => refused === undefined);
  const different = others.find((other) => !isDeepStrictEqual(other.answer, first?.answer));
  if (different) {
    throw new LabError(
      "failed",
      "answers-differ",
      `"${text}" is answered differently by ${first?.name} (${short(first?.answer)}) and ${different.name} (${short(different.answer)}).`,
      "Run this again; if it stays so, one of the statements in cli/demo/storage/questions/ is wrong.",
    );
  }
  const byKey = Object.fromEntries(Object.keys(asks).map((key, index) => [key, results[index] as Result]));
  return { model, side, text, results, lesson: lesson(byKey) };
}

/** What really runs. FerretDB itself tells the version of the MongoDB that it imitates. */
async function serversOf(
  { mysql, mongodb, cassandra, redis, neo4j }: Stores,
  { mongodbServer }: Outputs,
): Promise<StorageReport["servers"]> {
  const [[sql], build, local, info, components] = await Promise.all([
    mysql.query<RowDataPacket[]>("SELECT VERSION() AS version"),
    mongodb.command({ buildInfo: 1 }),
    cassandra.execute("SELECT release_version FROM system.local"),
    redis.info("server"),
    neo4j.executeQuery("CALL dbms.components() YIELD versions RETURN versions[0] AS version"),
  ]);
  const sqlVersion: string = sql[0]?.version;
  return {
    mysql: {
      name: sqlVersion.includes("MariaDB") ? "MariaDB" : "MySQL",
      version: sqlVersion.replace(/-.*$/, ""),
    },
    mongodb:
      mongodbServer === "ferretdb"
        ? { name: "FerretDB", version: (await locateTools()).mongodb.version }
        : { name: "MongoDB", version: String(build.version) },
    cassandra: { name: "Cassandra", version: local.first().release_version },
    redis: { name: "Redis", version: info.match(/^redis_version:(\S+)/m)?.[1] ?? "" },
    neo4j: { name: "Neo4j", version: components.records[0]?.get("version") },
  };
}
