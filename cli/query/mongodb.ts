import { EJSON } from "bson";
import { type Collection, type Db, type Document, type FindCursor, MongoClient } from "mongodb";
import type { Credentials } from "../outputs.ts";
import { type Call, type Method, type Modifier, parseStatement } from "./mongodb-statement.ts";
import { type Answer, connectWithinMs, type Session } from "./session.ts";

/** Commands, and calls of a collection's methods, in the product service's database. FerretDB knows no accounts. */
export async function mongodb(
  { host, port, user, password, database }: Credentials,
  server: "mongod" | "ferretdb",
): Promise<Session> {
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
  return {
    run: (statement) => run(client.db(database), statement),
    close: () => client.close(),
  };
}

async function run(database: Db, text: string): Promise<Answer> {
  const statement = parseStatement(text);
  const result =
    statement.kind === "command"
      ? await database.command(statement.command)
      : await call(database.collection(statement.collection), statement.call, statement.modifiers);
  return { value: EJSON.serialize(result as Document, { relaxed: true }) };
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
