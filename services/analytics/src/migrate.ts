import type { Logger } from "@lab/service-kit";
import type { Client } from "cassandra-driver";

/** Each can be repeated, also by several at once: Cassandra makes schema changes one after another. */
const statements = [
  // One partition a user and day: it is read with one look-up, in the order of time, and never grows without limit.
  `CREATE TABLE IF NOT EXISTS events (
    user_id text,
    day date,
    at timestamp,
    id text,
    type text,
    attributes map<text, text>,
    PRIMARY KEY ((user_id, day), at, id)
  ) WITH CLUSTERING ORDER BY (at DESC, id ASC)`,
  // A wide row: one partition a user, one entry a column, so that each has columns of its own and none needs ALTER TABLE.
  `CREATE TABLE IF NOT EXISTS users (
    id int,
    column_name text,
    value text,
    PRIMARY KEY (id, column_name)
  )`,
];

/** Brings the keyspace to what the service expects. */
export async function migrate(client: Client, log: Logger): Promise<void> {
  for (const statement of statements) {
    await client.execute(statement, [], { prepare: false });
  }
  log.info({ tables: statements.length }, "migrated");
}
