import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, Problem, reply } from "@lab/service-kit";
import type { Pool, ResultSetHeader, RowDataPacket } from "mysql2/promise";

const id = z.coerce.number().int().min(1).max(4_294_967_295).openapi({ example: 101 });

const userInput = z
  .object({
    name: z.string().trim().min(1).max(100),
    email: z.email().max(254),
    age: z.number().int().min(0).max(150).nullish(),
  })
  .openapi("UserInput");

const address = z.object({ label: z.string(), street: z.string(), city: z.string() }).openapi("Address");

const user = z
  .object({
    id: z.number().int(),
    name: z.string(),
    email: z.string(),
    age: z.number().int().nullable(),
    addresses: z.array(address),
  })
  .openapi("User");

type User = z.infer<typeof user>;

const byId = z.object({ id });

/** A user with each of his addresses: one statement, put together by the join. */
const joined = `
  SELECT u.id, u.name, u.email, u.age, a.label, a.street, a.city
  FROM users u LEFT JOIN addresses a ON a.user_id = u.id`;

/** https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const duplicate = "ER_DUP_ENTRY";
const noParent = "ER_NO_REFERENCED_ROW_2";

/** Users and addresses: two tables and the joins between them. */
export function userRoutes(app: OpenAPIHono<AppEnvironment>, pool: Pool): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/users",
      summary: "Users, by id, with their addresses",
      request: {
        query: z.object({
          city: z.string().optional(),
          after: z.coerce.number().int().min(0).default(0),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(200, "A page of users; the next begins after the last id", z.array(user)),
    }),
    async (c) => {
      const { city, after, limit } = c.req.valid("query");
      const [rows] = await pool.query<RowDataPacket[]>(
        `${joined}
         JOIN (
           SELECT id FROM users
           WHERE id > ? AND (? IS NULL OR id IN (SELECT user_id FROM addresses WHERE city = ?))
           ORDER BY id LIMIT ?
         ) page ON page.id = u.id
         ORDER BY u.id, a.label`,
        [after, city ?? null, city ?? null, limit],
      );
      return c.json(fold(rows), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/users",
      summary: "Register a user",
      request: { body: jsonBody(userInput) },
      responses: reply(201, "The new user", user),
    }),
    async (c) => {
      const { name, email, age = null } = c.req.valid("json");
      const [result] = await refusingDuplicates(email, () =>
        pool.execute<ResultSetHeader>("INSERT INTO users (name, email, age) VALUES (?, ?, ?)", [
          name,
          email,
          age,
        ]),
      );
      c.header("location", `/api/users/${result.insertId}`);
      return c.json(await find(pool, result.insertId), 201);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/users/reports/cities",
      summary: "How many users live in each city, and how old they are on average: a join and a grouping",
      responses: reply(
        200,
        "The cities with most users first",
        z.array(z.object({ city: z.string(), users: z.number(), averageAge: z.number().nullable() })),
      ),
    }),
    async (c) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        `SELECT a.city, COUNT(DISTINCT u.id) AS users, AVG(u.age) AS averageAge
         FROM addresses a JOIN users u ON u.id = a.user_id
         GROUP BY a.city ORDER BY users DESC, a.city`,
      );
      return c.json(
        rows.map(({ city, users, averageAge }) => ({
          city,
          users: Number(users),
          averageAge: averageAge === null ? null : Number(averageAge),
        })),
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/users/{id}",
      summary: "A user with addresses",
      request: { params: byId },
      responses: reply(200, "The user", user),
    }),
    async (c) => c.json(await find(pool, c.req.valid("param").id), 200),
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/users/{id}",
      summary: "Create or replace the user with this id",
      request: { params: byId, body: jsonBody(userInput) },
      responses: reply(200, "The user as stored", user),
    }),
    async (c) => {
      const number = c.req.valid("param").id;
      const { name, email, age = null } = c.req.valid("json");
      // Not ON DUPLICATE KEY: it would also overwrite another user who has the same email.
      await refusingDuplicates(email, async () => {
        const [{ affectedRows }] = await pool.execute<ResultSetHeader>(
          "UPDATE users SET name = ?, email = ?, age = ? WHERE id = ?",
          [name, email, age, number],
        );
        if (affectedRows === 0) {
          await pool.execute("INSERT INTO users (id, name, email, age) VALUES (?, ?, ?, ?)", [
            number,
            name,
            email,
            age,
          ]);
        }
      });
      return c.json(await find(pool, number), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/users/{id}",
      summary: "Remove a user, and with him his addresses",
      request: { params: byId },
      responses: { 204: { description: "There is no such user any more" } },
    }),
    async (c) => {
      await pool.execute("DELETE FROM users WHERE id = ?", [c.req.valid("param").id]);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/users/{id}/addresses/{label}",
      summary: "Create or replace an address of a user",
      request: {
        params: byId.extend({ label: z.string().min(1).max(30).openapi({ example: "home" }) }),
        body: jsonBody(
          z
            .object({ street: z.string().trim().min(1).max(200), city: z.string().trim().min(1).max(100) })
            .openapi("AddressInput"),
        ),
      },
      responses: reply(200, "The user as stored", user),
    }),
    async (c) => {
      const { id: number, label } = c.req.valid("param");
      const { street, city } = c.req.valid("json");
      try {
        await pool.execute(
          `INSERT INTO addresses (user_id, label, street, city) VALUES (?, ?, ?, ?)
           ON DUPLICATE KEY UPDATE street = VALUES(street), city = VALUES(city)`,
          [number, label, street, city],
        );
      } catch (error) {
        throw codeOf(error) === noParent ? missing(number) : error;
      }
      return c.json(await find(pool, number), 200);
    },
  );
}

async function find(pool: Pool, id: number): Promise<User> {
  const [rows] = await pool.execute<RowDataPacket[]>(`${joined} WHERE u.id = ? ORDER BY a.label`, [id]);
  const [found] = fold(rows);
  if (!found) {
    throw missing(id);
  }
  return found;
}

/** The rows of the join, one an address, as one object a user. */
function fold(rows: RowDataPacket[]): User[] {
  const users = new Map<number, User>();
  for (const { id, name, email, age, label, street, city } of rows) {
    const user: User = users.get(id) ?? { id, name, email, age, addresses: [] };
    users.set(id, user);
    if (label !== null) {
      user.addresses.push({ label, street, city });
    }
  }
  return [...users.values()];
}

async function refusingDuplicates<T>(email: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw codeOf(error) === duplicate ? new Problem(409, `Another user has the email ${email}.`) : error;
  }
}

function missing(id: number): Problem {
  return new Problem(404, `There is no user ${id}.`);
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}
