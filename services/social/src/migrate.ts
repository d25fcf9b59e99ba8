import type { Logger } from "@lab/service-kit";
import type { Driver } from "neo4j-driver";

/** Makes names unique, and with that indexed. It can be repeated, also by several at once. */
export async function migrate(driver: Driver, log: Logger): Promise<void> {
  await driver.executeQuery(
    "CREATE CONSTRAINT person_name IF NOT EXISTS FOR (person:Person) REQUIRE person.name IS UNIQUE",
  );
  log.info({ constraint: "person_name" }, "migrated");
}
