import type { Client } from "cassandra-driver";
import pLimit from "p-limit";
import type { Data } from "../data.ts";

/** Without it the server keeps a copy of a table's files when the table is dropped. */
const options = "allow_auto_snapshot = false";

const tables = [
  `CREATE TABLE people (id int PRIMARY KEY, name text, age int, city text) WITH ${options}`,
  // A wide row: a partition a person, an entry a count.
  `CREATE TABLE counts (person int, name text, value int, PRIMARY KEY (person, name)) WITH ${options}`,
  // The same for another question: a partition a count, in the order of values.
  `CREATE TABLE counts_by_name (name text, value int, person int, PRIMARY KEY (name, value, person))
    WITH CLUSTERING ORDER BY (value DESC) AND ${options}`,
];

/** A change of the schema writes to disk, which a busy machine may take longer for than the driver waits by itself. */
const patient = { readTimeout: 60_000 };

/** How many batches are under way at once. */
const concurrency = 16;
const batchSize = 50;

/** Makes the keyspace `demo` anew, and goes into it. */
export async function loadCassandra(client: Client, data: Data): Promise<void> {
  await client.execute(
    "CREATE KEYSPACE demo WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    [],
    patient,
  );
  await client.execute("USE demo");
  for (const table of tables) {
    await client.execute(table, [], patient);
  }
  await insert(
    client,
    "INSERT INTO people (id, name, age, city) VALUES (?, ?, ?, ?)",
    data.people.map(({ id, name, age, city }) => [id, name, age, city]),
  );
  const counts = data.counts.flatMap(({ person, values }) =>
    Object.entries(values).map(([name, value]) => ({ person, name, value })),
  );
  await insert(
    client,
    "INSERT INTO counts (person, name, value) VALUES (?, ?, ?)",
    counts.map(({ person, name, value }) => [person, name, value]),
  );
  await insert(
    client,
    "INSERT INTO counts_by_name (name, value, person) VALUES (?, ?, ?)",
    counts.map(({ person, name, value }) => [name, value, person]),
  );
}

export async function removeFromCassandra(client: Client): Promise<void> {
  await client.execute("DROP KEYSPACE IF EXISTS demo", [], patient);
}

async function insert(client: Client, query: string, rows: unknown[][]): Promise<void> {
  const limit = pLimit(concurrency);
  const batches = Array.from({ length: Math.ceil(rows.length / batchSize) }, (_, index) =>
    rows.slice(index * batchSize, (index + 1) * batchSize),
  );
  await Promise.all(
    batches.map((batch) =>
      limit(() =>
        client.batch(
          batch.map((params) => ({ query, params })),
          { prepare: true, logged: false, ...patient },
        ),
      ),
    ),
  );
}
