import type { Logger } from "@lab/service-kit";
import type { Db } from "mongodb";

/**
 * Makes the indexes that the queries want. Documents have no schema that could be migrated. Making an index that exists does
 * nothing, so that several may do this at once.
 */
export async function migrate(database: Db, log: Logger): Promise<void> {
  const made = [
    await database.collection("products").createIndex({ category: 1 }),
    await database.collection("students").createIndex({ id: 1 }, { unique: true }),
  ];
  log.info({ indexes: made }, "migrated");
}
