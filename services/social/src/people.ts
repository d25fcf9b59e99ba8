import type { Graph } from "./graph.ts";

/** A person, as others may see them. */
export interface Person {
  id: number;
  /** Empty while only the id is known. */
  name: string;
}

export interface Page {
  /** The id that the page before ended with. */
  after: number;
  limit: number;
}

/**
 * Whether a friendship holds in both directions. Anybody may call anybody a friend; what that opens of others, they must want
 * as well.
 */
export const isMutual = (person: string, friend: string) => `EXISTS { (${friend})-[:FRIEND]->(${person}) }`;

const shown = (node: string) => `${node}.id AS id, coalesce(${node}.name, "") AS name`;

/** People and who is whose friend: questions about paths, answered by following relationships. */
export class People {
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  async has(id: number): Promise<boolean> {
    return (await this.#graph.ask("MATCH (person:Person {id: $id}) RETURN 1 AS one", { id })).length > 0;
  }

  /**
   * A person is there, with this name, unless they were erased; says whether. An erasure that has begun meanwhile may have seen
   * nobody to remove yet.
   */
  async put(person: Person): Promise<boolean> {
    if (!(await this.#put(person))) {
      return false;
    }
    const removed = await this.#graph.ask(
      `MATCH (:Erased {id: $id}) MATCH (person:Person {id: $id})
       DETACH DELETE person RETURN 1 AS one`,
      { id: person.id },
    );
    return removed.length === 0;
  }

  async #put({ id, name }: Person): Promise<boolean> {
    // One without an id is from the time when names were unique, and there is no other of that name without one.
    await this.#graph.ask(
      `MATCH (old:Person {name: $name})
       WHERE old.id IS NULL AND NOT EXISTS { (:Person {id: $id}) } AND NOT EXISTS { (:Erased {id: $id}) }
       WITH old LIMIT 1 SET old.id = $id`,
      { id, name },
    );
    const put = await this.#graph.ask(
      `OPTIONAL MATCH (erased:Erased {id: $id})
       WITH erased WHERE erased IS NULL
       MERGE (person:Person {id: $id}) SET person.name = $name RETURN person.id AS id`,
      { id, name },
    );
    return put.length > 0;
  }

  /**
   * Removes a person and every relationship, and gives how many nodes and relationships that were. What is left is a number,
   * so that an event which comes late does not bring them back.
   */
  async erase(id: number): Promise<number> {
    // For everybody to see before the person is looked for.
    await this.#graph.ask("MERGE (:Erased {id: $id})", { id });
    const [erased] = await this.#graph.ask<{ records: number }>(
      `MATCH (person:Person {id: $id})
       WITH person, COUNT { (person)--() } + 1 AS records
       DETACH DELETE person RETURN records`,
      { id },
    );
    return erased?.records ?? 0;
  }

  /** (id)-[:FRIEND]->(friend); says whether both are there. */
  async befriend(id: number, friend: number): Promise<boolean> {
    const made = await this.#graph.ask(
      `MATCH (person:Person {id: $id}), (friend:Person {id: $friend})
       MERGE (person)-[:FRIEND]->(friend) RETURN 1 AS one`,
      { id, friend },
    );
    return made.length > 0;
  }

  async unfriend(id: number, friend: number): Promise<void> {
    await this.#graph.ask("MATCH (:Person {id: $id})-[is:FRIEND]->(:Person {id: $friend}) DELETE is", {
      id,
      friend,
    });
  }

  /** Those whom a person calls a friend, with the names of those who call the person one, too. */
  friends(id: number, page: Page): Promise<Person[]> {
    return this.#graph.ask(
      `MATCH (person:Person {id: $id})-[:FRIEND]->(friend) WHERE friend.id > $after
       RETURN friend.id AS id,
         CASE WHEN ${isMutual("person", "friend")} THEN coalesce(friend.name, "") ELSE "" END AS name
       ORDER BY id LIMIT $limit`,
      { id, ...page },
    );
  }

  /** The friends of friends, each in both directions, but the person and the friends themselves. */
  friendsOfFriends(id: number, page: Page): Promise<Person[]> {
    return this.#graph.ask(
      `MATCH (person:Person {id: $id})-[:FRIEND]->(friend)-[:FRIEND]->(other)
       WHERE ${isMutual("person", "friend")} AND ${isMutual("friend", "other")}
         AND other <> person AND other.id > $after AND NOT (person)-[:FRIEND]->(other)
       RETURN DISTINCT ${shown("other")} ORDER BY id LIMIT $limit`,
      { id, ...page },
    );
  }

  /** The shortest way from one to another over friendships in both directions, both ends included. */
  async path(from: number, to: number): Promise<Person[] | undefined> {
    if (from === to) {
      const [self] = await this.#graph.ask<Record<keyof Person, never>>(
        `MATCH (person:Person {id: $from}) RETURN ${shown("person")}`,
        { from },
      );
      return self && [self];
    }
    const [found] = await this.#graph.ask<{ people: Person[] }>(
      `MATCH path = SHORTEST 1 (:Person {id: $from})
         ((one)-[:FRIEND]->(other) WHERE ${isMutual("one", "other")}){1,${maxPathLength}}
         (:Person {id: $to})
       RETURN [person IN nodes(path) | {id: person.id, name: coalesce(person.name, "")}] AS people`,
      { from, to },
    );
    return found?.people;
  }
}

/** How many friendships a path may have. */
export const maxPathLength = 15;
