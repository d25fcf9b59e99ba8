import type { Driver } from "neo4j-driver";
import type { Data } from "../data.ts";

const constraints = {
  demo_person: "FOR (person:DemoPerson) REQUIRE person.id IS UNIQUE",
  demo_product: "FOR (product:DemoProduct) REQUIRE product.sku IS UNIQUE",
};

/** Makes nodes with labels of their own, since Neo4j Community has one database only. */
export async function loadNeo4j(driver: Driver, data: Data): Promise<void> {
  const run = (cypher: string, rows?: unknown[]) => driver.executeQuery(cypher, { rows });
  for (const [name, rule] of Object.entries(constraints)) {
    await run(`CREATE CONSTRAINT ${name} ${rule}`);
  }
  await run("UNWIND $rows AS row CREATE (person:DemoPerson) SET person = row", data.people);
  await run(
    "UNWIND $rows AS row CREATE (:DemoProduct {sku: row.sku, category: row.category})",
    data.products.map(({ sku, category }) => ({ sku, category })),
  );
  await run(
    `UNWIND $rows AS row MATCH (person:DemoPerson {id: row[0]}), (friend:DemoPerson {id: row[1]})
     CREATE (person)-[:FRIEND]->(friend)`,
    data.friendships,
  );
  await run(
    `UNWIND $rows AS row MATCH (person:DemoPerson {id: row.person}), (product:DemoProduct {sku: row.sku})
     CREATE (person)-[:BOUGHT {cents: row.cents}]->(product)`,
    data.orders.flatMap(({ person, lines }) => lines.map(({ sku, cents }) => ({ person, sku, cents }))),
  );
}

export async function removeFromNeo4j(driver: Driver): Promise<void> {
  await driver.executeQuery("MATCH (node:DemoPerson|DemoProduct) DETACH DELETE node");
  for (const name of Object.keys(constraints)) {
    await driver.executeQuery(`DROP CONSTRAINT ${name} IF EXISTS`);
  }
}
