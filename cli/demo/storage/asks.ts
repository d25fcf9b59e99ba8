import type { Client } from "cassandra-driver";
import type { Db } from "mongodb";
import type { RowDataPacket } from "mysql2/promise";
import { runStatement } from "../../query/mongodb.ts";
import { parseStatement } from "../../query/mongodb-statement.ts";
import { wordsOf } from "../../query/redis-words.ts";
import {
  cassandraPlan,
  type MongodbExplanation,
  mariadbPlan,
  mongodbPlan,
  type Neo4jProfile,
  neo4jPlan,
} from "./plans.ts";
import type { Ask } from "./question.ts";
import type { Stores } from "./stores.ts";

type Row = Record<string, unknown>;
type Options = Pick<Ask, "way" | "mayRefuse" | "undo">;

/** SQL: a statement a line group, `;` between them; the rows of the last one are the answer. */
export function sql(statement: string, toAnswer: (rows: Row[]) => unknown, options: Options = {}): Ask {
  const statements = statement.split(/;\s*/);
  return {
    store: "mysql",
    statement,
    async run({ mysql }) {
      let rows: Row[] = [];
      for (const text of statements) {
        [rows] = await mysql.query<RowDataPacket[]>(text);
      }
      return { answer: toAnswer(rows), requests: statements.length };
    },
    // What a statement would do that changes the table can't be asked without doing it.
    ...(statements.length === 1 && {
      async plan({ mysql }) {
        const [[row]] = await mysql.query<RowDataPacket[]>(`ANALYZE FORMAT=JSON ${statement}`);
        return mariadbPlan(JSON.parse(Object.values(row as Row)[0] as string));
      },
    }),
    ...options,
  };
}

/** CQL: statements with `;` between them; the rows of the last one are the answer. */
export function cql(statement: string, toAnswer: (rows: Row[]) => unknown, options: Options = {}): Ask {
  const statements = statement.split(/;\s*/);
  return {
    store: "cassandra",
    statement,
    async run({ cassandra }) {
      let rows: Row[] = [];
      for (const text of statements) {
        ({ rows } = await cassandra.execute(text, [], { prepare: true }));
      }
      return { answer: toAnswer(rows), requests: statements.length };
    },
    plan: ({ cassandra }) => traceOf(cassandra, statements.at(-1) as string),
    ...options,
  };
}

export function cypher(statement: string, toAnswer: (rows: Row[]) => unknown, options: Options = {}): Ask {
  return {
    store: "neo4j",
    statement,
    async run({ neo4j }) {
      const { records } = await neo4j.executeQuery(statement, {}, { database: "neo4j" });
      return { answer: toAnswer(records.map((record) => record.toObject())), requests: 1 };
    },
    async plan({ neo4j }) {
      const { summary } = await neo4j.executeQuery(`PROFILE ${statement}`, {}, { database: "neo4j" });
      return neo4jPlan(summary.profile as unknown as Neo4jProfile);
    },
    ...options,
  };
}

/** A call of a collection's method. */
export function mongo(
  statement: string,
  toAnswer: (documents: Row[]) => unknown,
  options: Options = {},
): Ask {
  const parsed = parseStatement(statement);
  return {
    store: "mongodb",
    statement,
    async run({ mongodb }) {
      const result = await runStatement(mongodb, parsed);
      return { answer: toAnswer((Array.isArray(result) ? result : [result]) as Row[]), requests: 1 };
    },
    ...(parsed.kind === "call" &&
      parsed.call.name.startsWith("find") && {
        plan: ({ mongodb }: Stores) => explain(mongodb, parsed.collection, parsed.call.args[0] as object),
      }),
    ...options,
  };
}

/** How a `find` goes about it. */
export async function explain(database: Db, collection: string, filter: object): Promise<string[]> {
  const explanation = await database.collection(collection).find(filter).explain();
  return mongodbPlan(explanation as unknown as MongodbExplanation);
}

export function redis(statement: string, toAnswer: (reply: unknown) => unknown, options: Options = {}): Ask {
  const [command = "", ...args] = wordsOf(statement);
  return {
    store: "redis",
    statement,
    run: async ({ redis }) => ({ answer: toAnswer(await redis.call(command, ...args)), requests: 1 }),
    ...options,
  };
}

/** What a traced run of a statement did in the server; empty when the server was slow to write it down. */
async function traceOf(client: Client, statement: string): Promise<string[]> {
  const { info } = await client.execute(statement, [], { prepare: true, traceQuery: true });
  const trace = await client.metadata.getTrace(info.traceId).catch(() => undefined);
  return cassandraPlan(trace?.events.map(({ activity }) => activity) ?? []);
}

/** Rows in an order that doesn't depend on the store. */
export function sorted<T>(rows: T[]): T[] {
  return rows.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}
