import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type AppEnvironment,
  type Auth,
  done,
  jsonBody,
  ownOrAdmin,
  Problem,
  reply,
  secured,
} from "@lab/service-kit";
import { maxPathLength, type People } from "./people.ts";
import type { Purchases } from "./purchases.ts";

const id = (example: number) => z.coerce.number().int().min(1).max(2_147_483_647).openapi({ example });

const byUser = z.object({ userId: id(101) });
const byFriend = byUser.extend({ friendId: id(102) });

const limit = z.coerce.number().int().min(1).max(500).default(100);
const page = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .openapi({ description: "The id that the page before ended with." }),
  limit,
});

const people = z.array(
  z.object({ id: z.number().int(), name: z.string() }).openapi("Person", {
    example: { id: 102, name: "Sneha" },
  }),
);

const recommendations = z.array(
  z
    .object({ sku: z.string(), name: z.string(), friends: z.number().int() })
    .openapi("Recommendation", { example: { sku: "tea-1", name: "Assam tea", friends: 2 } }),
);

/** A person's friends, what lies behind them, and what they buy: for that person, and for administrators. */
export function socialRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { auth, people: known, purchases }: { auth: Auth; people: People; purchases: Purchases },
): void {
  const wantKnown = async (userId: number) => {
    if (!(await known.has(userId))) {
      throw new Problem(404, `User ${userId} is not known here, or not yet.`);
    }
  };

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/social/people/{userId}",
      summary: "A person is there, before their registration is heard of; for administrators",
      middleware: auth.admin,
      request: {
        params: byUser,
        body: jsonBody(
          z
            .object({ name: z.string().trim().min(1).max(100) })
            .openapi("PersonInput", { example: { name: "Riya" } }),
        ),
      },
      responses: done("It is so now"),
    }),
    async (c) => {
      const { userId } = c.req.valid("param");
      if (!(await known.put({ id: userId, ...c.req.valid("json") }))) {
        throw new Problem(409, `User ${userId} was erased, and stays so.`);
      }
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/social/people/{userId}/friends/{friendId}",
      summary:
        "(userId)-[:FRIEND]->(friendId): shows nothing of the friend until (friendId)-[:FRIEND]->(userId) is there, too",
      middleware: auth.user,
      request: { params: byFriend },
      responses: done("It is so now"),
    }),
    async (c) => {
      const { userId, friendId } = c.req.valid("param");
      ownOrAdmin(c, userId);
      if (userId === friendId) {
        throw new Problem(400, "Nobody is a friend of their own.");
      }
      if (!(await known.befriend(userId, friendId))) {
        throw new Problem(404, `User ${userId} or ${friendId} is not known here, or not yet.`);
      }
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "delete",
      path: "/api/social/people/{userId}/friends/{friendId}",
      summary: "Not a friend any more",
      middleware: auth.user,
      request: { params: byFriend },
      responses: done("It is so now"),
    }),
    async (c) => {
      const { userId, friendId } = c.req.valid("param");
      ownOrAdmin(c, userId);
      await known.unfriend(userId, friendId);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/social/people/{userId}/friends",
      summary: "Whom does a person call a friend? The name is empty until the friend does so, too",
      middleware: auth.user,
      request: { params: byUser, query: page },
      responses: reply(200, "In the order of their ids", people),
    }),
    async (c) => {
      const { userId } = c.req.valid("param");
      ownOrAdmin(c, userId);
      await wantKnown(userId);
      return c.json(await known.friends(userId, c.req.valid("query")), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/social/people/{userId}/friends-of-friends",
      summary:
        "Who are the friends of a person's friends, beside these? Each friendship holds in both directions",
      middleware: auth.user,
      request: { params: byUser, query: page },
      responses: reply(200, "In the order of their ids", people),
    }),
    async (c) => {
      const { userId } = c.req.valid("param");
      ownOrAdmin(c, userId);
      await wantKnown(userId);
      return c.json(await known.friendsOfFriends(userId, c.req.valid("query")), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/social/path",
      summary: "The shortest path from a person to another, over friendships that hold in both directions",
      middleware: auth.user,
      request: { query: z.object({ from: id(101), to: id(103) }) },
      responses: reply(200, "The people on the path, both ends included", people),
    }),
    async (c) => {
      const { from, to } = c.req.valid("query");
      ownOrAdmin(c, from);
      const path = await known.path(from, to);
      if (!path) {
        throw new Problem(
          404,
          `No path of at most ${maxPathLength} friendships leads from ${from} to ${to}.`,
        );
      }
      return c.json(path, 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/social/people/{userId}/recommendations",
      summary: "What have a person's friends, in both directions, bought, and the person not?",
      middleware: auth.user,
      request: { params: byUser, query: z.object({ limit }) },
      responses: reply(200, "What most friends have bought first", recommendations),
    }),
    async (c) => {
      const { userId } = c.req.valid("param");
      ownOrAdmin(c, userId);
      await wantKnown(userId);
      return c.json(await purchases.recommendations(userId, c.req.valid("query").limit), 200);
    },
  );
}
