import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, Problem, reply } from "@lab/service-kit";
import type { Driver } from "neo4j-driver";

const name = z.string().trim().min(1).max(100);
const byName = z.object({ name: name.openapi({ example: "Riya" }) });
const names = z.array(z.string()).openapi("Names", { example: ["Sneha"] });
const done = { 204: { description: "It is so now" } };

/** People and who is whose friend: questions about paths, answered by following relationships. */
export function friendRoutes(app: OpenAPIHono<AppEnvironment>, driver: Driver): void {
  const ask = async (cypher: string, parameters: Record<string, unknown>) =>
    (await driver.executeQuery(cypher, parameters, { database: "neo4j" })).records;

  async function namesOf(cypher: string, parameters: { name: string }): Promise<string[]> {
    const [found] = await ask("MATCH (person:Person {name: $name}) RETURN person", parameters);
    if (!found) {
      throw new Problem(404, `There is no person ${parameters.name}.`);
    }
    return (await ask(cypher, parameters)).map((record) => record.get("name"));
  }

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/social/people/{name}",
      summary: "A person is there",
      request: { params: byName },
      responses: done,
    }),
    async (c) => {
      await ask("MERGE (:Person {name: $name})", c.req.valid("param"));
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/social/people/{name}",
      summary: "A person is gone, and so are the friendships",
      request: { params: byName },
      responses: done,
    }),
    async (c) => {
      await ask("MATCH (person:Person {name: $name}) DETACH DELETE person", c.req.valid("param"));
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/social/people/{name}/friends/{friend}",
      summary: "(name)-[:FRIEND]->(friend)",
      request: { params: byName.extend({ friend: name.openapi({ example: "Sneha" }) }) },
      responses: done,
    }),
    async (c) => {
      const parameters = c.req.valid("param");
      if (parameters.name === parameters.friend) {
        throw new Problem(400, "Nobody is a friend of their own.");
      }
      const made = await ask(
        `MATCH (person:Person {name: $name}), (friend:Person {name: $friend})
         MERGE (person)-[:FRIEND]->(friend) RETURN 1`,
        parameters,
      );
      if (made.length === 0) {
        throw new Problem(
          404,
          `${parameters.name} or ${parameters.friend} is not there; PUT the person first.`,
        );
      }
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/social/people/{name}/friends",
      summary: "Who are a person's friends?",
      request: { params: byName },
      responses: reply(200, "Their names", names),
    }),
    async (c) =>
      c.json(
        await namesOf(
          "MATCH (:Person {name: $name})-[:FRIEND]->(friend) RETURN friend.name AS name ORDER BY name",
          c.req.valid("param"),
        ),
        200,
      ),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/social/people/{name}/friends-of-friends",
      summary: "Who are the friends of a person's friends, beside these?",
      request: { params: byName },
      responses: reply(200, "Their names", names),
    }),
    async (c) =>
      c.json(
        await namesOf(
          `MATCH (person:Person {name: $name})-[:FRIEND]->()-[:FRIEND]->(other)
           WHERE other <> person AND NOT (person)-[:FRIEND]->(other)
           RETURN DISTINCT other.name AS name ORDER BY name`,
          c.req.valid("param"),
        ),
        200,
      ),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/social/path",
      summary: "The shortest path between two people, whoever called whom a friend",
      request: {
        query: z.object({ from: name.openapi({ example: "Riya" }), to: name.openapi({ example: "Arjun" }) }),
      },
      responses: reply(200, "The names on the path, both ends included", names),
    }),
    async (c) => {
      const { from, to } = c.req.valid("query");
      if (from === to) {
        return c.json([from], 200);
      }
      const [path] = await ask(
        `MATCH path = shortestPath((:Person {name: $from})-[:FRIEND*..15]-(:Person {name: $to}))
         RETURN [person IN nodes(path) | person.name] AS names`,
        { from, to },
      );
      if (!path) {
        throw new Problem(404, `No path of at most 15 friendships leads from ${from} to ${to}.`);
      }
      return c.json(path.get("names") as string[], 200);
    },
  );
}
