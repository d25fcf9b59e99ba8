import type { Handlers } from "@lab/messaging";
import type { Graph } from "./graph.ts";
import { isMutual } from "./people.ts";

/** What friends, in both directions, have bought, and a person has not. */
export interface Recommendation {
  sku: string;
  name: string;
  /** How many of the friends. */
  friends: number;
}

/**
 * Who has bought what: `(:Person)-[:BOUGHT {orderId}]->(:Product)`, and `ORDERED` until it is paid. A relationship for each
 * order, so that an event that comes twice makes no second one, and a refund takes away what its order had made.
 */
export class Purchases {
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  recommendations(id: number, limit: number): Promise<Recommendation[]> {
    return this.#graph.ask(
      `MATCH (person:Person {id: $id})-[:FRIEND]->(friend)-[:BOUGHT]->(product:Product)
       WHERE ${isMutual("person", "friend")} AND NOT (person)-[:BOUGHT]->(product)
       RETURN product.sku AS sku, product.name AS name, count(DISTINCT friend) AS friends
       ORDER BY friends DESC, sku LIMIT $limit`,
      { id, limit },
    );
  }

  handlers(): Handlers {
    return {
      "order.placed.v1": ({ data: { userId, orderId, lines } }) => this.#order(userId, orderId, lines),
      "payment.captured.v1": async ({ data: { userId, orderId, lines } }) => {
        if (lines) {
          await this.#order(userId, orderId, lines);
        }
        await this.#buy(userId, orderId);
      },
      "payment.declined.v1": ({ data: { userId, orderId } }) => this.#forget(userId, orderId),
      "payment.voided.v1": ({ data: { userId, orderId } }) => this.#forget(userId, orderId),
      "payment.refunded.v1": ({ data: { userId, orderId } }) => this.#forget(userId, orderId),
    };
  }

  async #order(id: number, orderId: string, lines: Array<{ sku: string; name: string }>): Promise<void> {
    // The order may be heard of before its customer is.
    await this.#graph.ask(
      `OPTIONAL MATCH (erased:Erased {id: $id})
       WITH erased WHERE erased IS NULL
       MERGE (person:Person {id: $id})
       WITH person
       UNWIND $lines AS line
       MERGE (product:Product {sku: line.sku}) SET product.name = line.name
       WITH person, product
       WHERE NOT EXISTS { (person)-[:BOUGHT {orderId: $orderId}]->(product) }
       MERGE (person)-[:ORDERED {orderId: $orderId}]->(product)`,
      { id, orderId, lines: lines.map(({ sku, name }) => ({ sku, name })) },
    );
  }

  async #buy(id: number, orderId: string): Promise<void> {
    await this.#graph.ask(
      `MATCH (person:Person {id: $id})-[ordered:ORDERED {orderId: $orderId}]->(product)
       MERGE (person)-[:BOUGHT {orderId: $orderId}]->(product) DELETE ordered`,
      { id, orderId },
    );
  }

  async #forget(id: number, orderId: string): Promise<void> {
    await this.#graph.ask(
      "MATCH (:Person {id: $id})-[purchase:ORDERED|BOUGHT {orderId: $orderId}]->() DELETE purchase",
      { id, orderId },
    );
  }
}
