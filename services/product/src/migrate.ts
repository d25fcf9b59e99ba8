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
    // For what was cut short, and for counting: while units are reserved nothing is looked for but by `_id`.
    await database.collection("stock_slots").createIndex({ key: 1 }),
    await database.collection("stock_returns").createIndex({ sku: 1 }),
    await database.collection("stock_marks").createIndex({ sku: 1, number: -1 }),
    await database.collection("stock_reservations").createIndex({ at: 1 }),
    await database.collection("stock_decisions").createIndex({ at: 1 }),
    await database.collection("stock_decisions").createIndex({ surplus: 1 }, { sparse: true }),
  ];
  log.info({ indexes: made }, "migrated");
}
