/**
 * Makes Cassandra's roles and the keyspace `analytics`, after every start of a new allocation. Changes nothing the second
 * time. Cassandra is born with a superuser whose password everybody knows; it is shut out here.
 */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { auth, Client } from "cassandra-driver";
import { required, untilReady } from "./until-ready.ts";

const port = Number(required("CASSANDRA_PORT"));
const adminPassword = required("ADMIN_PASSWORD");
const analyticsPassword = required("ANALYTICS_PASSWORD");

const admin = await untilReady(signIn, 240_000);
try {
  for (const statement of statements()) {
    await admin.execute(statement);
  }
} finally {
  await admin.shutdown();
}
// The job's check waits for this file.
await writeFile(required("DONE_FILE"), "");
console.log("cassandra: roles and keyspace are as they should be");

/** Signs in as admin, who is made first when only the superuser of a new Cassandra exists. */
async function signIn(): Promise<Client> {
  try {
    return await connect("admin", adminPassword);
  } catch (refused) {
    const first = await connect("cassandra", "cassandra").catch(() => {
      throw refused;
    });
    try {
      await first.execute(
        `CREATE ROLE IF NOT EXISTS admin WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = ${quoted(adminPassword)}`,
      );
    } finally {
      await first.shutdown();
    }
    return await connect("admin", adminPassword);
  }
}

async function connect(user: string, password: string): Promise<Client> {
  const client = new Client({
    contactPoints: [`127.0.0.1:${port}`],
    localDataCenter: "datacenter1",
    authProvider: new auth.PlainTextAuthProvider(user, password),
    pooling: { warmup: false },
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.shutdown();
    throw error;
  }
}

function statements(): string[] {
  return [
    `ALTER ROLE cassandra WITH SUPERUSER = false AND LOGIN = false AND PASSWORD = ${quoted(randomBytes(24).toString("hex"))}`,
    "CREATE KEYSPACE IF NOT EXISTS analytics WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE ROLE IF NOT EXISTS analytics WITH LOGIN = true",
    `ALTER ROLE analytics WITH LOGIN = true AND PASSWORD = ${quoted(analyticsPassword)}`,
    "GRANT ALL PERMISSIONS ON KEYSPACE analytics TO analytics",
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
