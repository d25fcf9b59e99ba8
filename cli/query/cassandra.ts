import { auth, Client, types } from "cassandra-driver";
import type { Credentials } from "../outputs.ts";
import { connectWithinMs, type Session } from "./session.ts";

/** CQL, as the administrator, in the analytics service's keyspace. */
export async function cassandra(credentials: Credentials): Promise<Session> {
  const client = await connectCassandra(credentials);
  return {
    async run(statement) {
      const { columns, rows } = await client.execute(statement.replace(/;\s*$/, ""));
      const names = (columns ?? []).map(({ name }) => name);
      return {
        columns: names,
        rows: (rows ?? []).map((row) => Object.fromEntries(names.map((name) => [name, plain(row[name])]))),
      };
    },
    close: () => client.shutdown(),
  };
}

/** A client, in the keyspace of the credentials if they name one. */
export async function connectCassandra(credentials: Credentials): Promise<Client> {
  const { host, port, user, password, database } = credentials;
  const client = new Client({
    contactPoints: [`${host}:${port}`],
    localDataCenter: "datacenter1",
    keyspace: database,
    authProvider: new auth.PlainTextAuthProvider(user, password),
    socketOptions: { connectTimeout: connectWithinMs },
    pooling: { warmup: false },
  });
  try {
    await client.connect();
  } catch (error) {
    await client.shutdown();
    throw error;
  }
  return client;
}

/** Cassandra's own types (dates, UUIDs, big numbers) as text. */
function plain(value: unknown): unknown {
  const isOwn = Object.values(types).some((type) => typeof type === "function" && value instanceof type);
  return isOwn || value instanceof Date
    ? value instanceof Date
      ? value.toISOString()
      : String(value)
    : value;
}
