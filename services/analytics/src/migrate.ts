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
  // The partitions of a person: those that are to go when the person does.
  `CREATE TABLE IF NOT EXISTS user_days (
    user_id text,
    day date,
    PRIMARY KEY (user_id, day)
  )`,
  // Who was erased, so that an event which comes late does not bring them back: a number, and nothing else.
  `CREATE TABLE IF NOT EXISTS erased_users (
    user_id text PRIMARY KEY,
    at timestamp
  )`,
  // What an order is of, kept until it is paid. Whose it is, is not kept.
  `CREATE TABLE IF NOT EXISTS order_lines (
    order_id text,
    sku text,
    quantity bigint,
    revenue_cents bigint,
    PRIMARY KEY (order_id, sku)
  )`,
  // A row an order, product and kind (a sale, or a refund with negative numbers), summed when it is read. Counters would count
  // an event twice that comes twice; here the second one writes the same row.
  `CREATE TABLE IF NOT EXISTS sales (
    day date,
    sku text,
    order_id text,
    kind text,
    orders bigint,
    quantity bigint,
    revenue_cents bigint,
    PRIMARY KEY (day, sku, order_id, kind)
  )`,
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
