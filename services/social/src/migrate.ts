import type { Logger } from "@lab/service-kit";
import type { Graph } from "./graph.ts";

/**
 * Each can be repeated, also by several at once. Names were unique once, and people are told apart by their ids now: two may
 * have one name. Those from before have no id until a user of their name is heard of (`people.ts`).
 */
const statements = [
  "DROP CONSTRAINT person_name IF EXISTS",
  "CREATE CONSTRAINT person_id IF NOT EXISTS FOR (person:Person) REQUIRE person.id IS UNIQUE",
  "CREATE INDEX person_by_name IF NOT EXISTS FOR (person:Person) ON (person.name)",
  "CREATE CONSTRAINT product_sku IF NOT EXISTS FOR (product:Product) REQUIRE product.sku IS UNIQUE",
  "CREATE CONSTRAINT erased_id IF NOT EXISTS FOR (erased:Erased) REQUIRE erased.id IS UNIQUE",
];

/** Brings the constraints and indexes to what the service expects. */
export async function migrate(graph: Graph, log: Logger): Promise<void> {
  for (const statement of statements) {
    await graph.ask(statement);
  }
  log.info({ statements: statements.length }, "migrated");
}
