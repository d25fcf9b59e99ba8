import driver, { type Driver, isDate, isDateTime, isNode, isPath, isRelationship } from "neo4j-driver";
import type { Credentials } from "../outputs.ts";
import { connectWithinMs, type Session } from "./session.ts";

/** Cypher. */
export async function neo4j(credentials: Credentials): Promise<Session> {
  const connection = await connectNeo4j(credentials);
  const { database } = credentials;
  return {
    async run(statement) {
      const { keys, records } = await connection.executeQuery(statement, {}, { database });
      const columns = keys.map(String);
      return {
        columns,
        rows: records.map((record) =>
          Object.fromEntries(columns.map((name) => [name, plain(record.get(name))])),
        ),
      };
    },
    close: () => connection.close(),
  };
}

/** A driver that has got through to the server. */
export async function connectNeo4j({ host, port, user, password }: Credentials): Promise<Driver> {
  const connection = driver.driver(`bolt://${host}:${port}`, driver.auth.basic(user, password), {
    disableLosslessIntegers: true,
    connectionTimeout: connectWithinMs,
    maxTransactionRetryTime: 0,
    telemetryDisabled: true,
  });
  try {
    await connection.verifyConnectivity();
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

function plain(value: unknown): unknown {
  if (isNode(value as object)) {
    const { labels, properties } = value as { labels: string[]; properties: object };
    return { labels, ...properties };
  }
  if (isRelationship(value as object)) {
    const { type, properties } = value as { type: string; properties: object };
    return { type, ...properties };
  }
  if (isPath(value as object)) {
    const { start, segments } = value as {
      start: unknown;
      segments: Array<{ relationship: unknown; end: unknown }>;
    };
    return [plain(start), ...segments.flatMap(({ relationship, end }) => [plain(relationship), plain(end)])];
  }
  if (isDate(value as object) || isDateTime(value as object)) {
    return String(value);
  }
  return Array.isArray(value) ? value.map(plain) : value;
}
