import { EJSON } from "bson";
import { type Collection, type Db, type Document, type FindCursor, MongoClient } from "mongodb";
import type { Credentials } from "../outputs.ts";
import {
  type Call,
  type Method,
  type Modifier,
  parseStatement,
  type Statement,
} from "./mongodb-statement.ts";
import { connectWithinMs, type Session } from "./session.ts";

/** Commands, and calls of a collection's methods, in the product service's database. FerretDB knows no accounts. */
export async function mongodb(credentials: Credentials, server: "mongod" | "ferretdb"): Promise<Session> {
  const client = await connectMongodb(credentials, server);
  return {
    async run(text) {
      const result = await runStatement(client.db(credentials.database), parseStatement(text));
      return { value: EJSON.serialize(result as Document, { relaxed: true }) };
    },
    close: () => client.close(),
  };
}

/** A client that has got through to the server. */
export async function connectMongodb(
  { host, port, user, password, database }: Credentials,
  server: "mongod" | "ferretdb",
): Promise<MongoClient> {
  const client = new MongoClient(`mongodb://${host}:${port}`, {
    directConnection: true,
    serverSelectionTimeoutMS: connectWithinMs,
    ...(server === "mongod" && { auth: { username: user, password }, authSource: "admin" }),
  });
  try {
    await client.connect();
    await client.db(database).command({ ping: 1 });
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/** What the server answers, in the driver's own types. */
export async function runStatement(database: Db, statement: Statement): Promise<unknown> {
  return statement.kind === "command"
    ? database.command(statement.command)
    : call(database.collection(statement.collection), statement.call, statement.modifiers);
}

async function call(
  collection: Collection,
  { name, args }: Call<Method>,
  modifiers: Call<Modifier>[],
): Promise<unknown> {
  switch (name) {
    case "find": {
      let cursor: FindCursor = collection.find((args[0] ?? {}) as Document, {
        projection: args[1] as Document,
      });
      for (const modifier of modifiers) {
        cursor = cursor[modifier.name](modifier.args[0] as never);
      }
      return cursor.toArray();
    }
    case "findOne":
      return collection.findOne((args[0] ?? {}) as Document, { projection: args[1] as Document });
    case "aggregate":
      return collection.aggregate(args[0] as Document[]).toArray();
    default:
      return (collection[name] as (...values: unknown[]) => Promise<unknown>).apply(collection, args);
  }
}
