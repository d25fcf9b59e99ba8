import { auth, Client } from "cassandra-driver";
import { freePorts } from "../../providers/host/src/ports.ts";
import { createJavaServer } from "./java-server.ts";
import type { ServerProcess } from "./server-process.ts";

/** A Cassandra with an empty keyspace. */
export interface CassandraServer extends ServerProcess {
  /** What a service is told of it. */
  environment: Record<string, string>;
  /** A connection of one who may do everything, in the keyspace. */
  client: Client;
}

const keyspace = "analytics";
/** The one user of a new Cassandra. */
const user = "cassandra";

/** Starts Cassandra on free ports, in a temporary folder. */
export async function startCassandra(): Promise<CassandraServer> {
  const port = await freePorts(3);
  const connect = (settings: object = {}) =>
    new Client({
      contactPoints: [`127.0.0.1:${port}`],
      localDataCenter: "datacenter1",
      authProvider: new auth.PlainTextAuthProvider(user, user),
      ...settings,
    });
  const server = await createJavaServer("cassandra", port, async () => {
    const client = connect();
    try {
      await client.execute(
        `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
      );
      return true;
    } finally {
      await client.shutdown();
    }
  });
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  const client = connect({ keyspace });
  return {
    ...server,
    environment: {
      CASSANDRA_HOST: "127.0.0.1",
      CASSANDRA_PORT: String(port),
      CASSANDRA_DATACENTER: "datacenter1",
      CASSANDRA_KEYSPACE: keyspace,
      CASSANDRA_USER: user,
      CASSANDRA_PASSWORD: user,
    },
    client,
    async stop() {
      await client.shutdown();
      await server.stop();
    },
  };
}
