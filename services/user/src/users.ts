import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { isDuplicate } from "@lab/mysql";
import {
  type AppEnvironment,
  type Auth,
  jsonBody,
  ownOrAdmin,
  Problem,
  reply,
  secured,
} from "@lab/service-kit";
import type { Connection, Pool, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { hashPassword } from "./passwords.ts";
import {
  announce,
  byId,
  findUser,
  fold,
  joined,
  missing,
  newPassword,
  type Profile,
  profile,
  type User,
  user,
  type Write,
} from "./user.ts";

const limit = z.coerce.number().int().min(1).max(500).default(100);

/** Nothing that a collation takes for something else: upper case, accents, spaces at the end. */
const label = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,29}$/)
  .openapi({ example: "home" });

const userInput = profile
  .extend({ password: newPassword.optional().openapi({ description: "For administrators to set" }) })
  .openapi("UserInput");

/** The highest id that can be asked for: those who register get the next after the highest there is, and want some to be left. */
const maxChosenId = 1_000_000_000;

/** How many addresses somebody may have: an answer has all of them. */
const maxAddresses = 20;

/** Users and addresses: two tables and the joins between them. */
export function userRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { pool, write, auth }: { pool: Pool; write: Write; auth: Auth },
): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/users",
      summary: "Users, by id, with their addresses",
      middleware: auth.admin,
      request: {
        query: z.object({
          city: z.string().max(100).optional(),
          after: z.coerce.number().int().min(0).default(0),
          limit,
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
      ...secured,
      method: "get",
      path: "/api/users/reports/cities",
      summary: "How many users live in each city, and how old they are on average: a join and a grouping",
      middleware: auth.admin,
      request: { query: z.object({ limit }) },
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
         GROUP BY a.city ORDER BY users DESC, a.city LIMIT ?`,
        [c.req.valid("query").limit],
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
      ...secured,
      method: "get",
      path: "/api/users/{id}",
      summary: "A user with addresses",
      middleware: auth.user,
      request: { params: byId },
      responses: reply(200, "The user", user),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      ownOrAdmin(c, id);
      return c.json(await findUser(pool, id), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/users/{id}",
      summary:
        "Replace a user's profile; an administrator may also create the user with this id, unless it was erased",
      middleware: auth.user,
      request: { params: byId, body: jsonBody(userInput) },
      responses: reply(200, "The user as stored", user),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const { password, ...input } = c.req.valid("json");
      const isAdmin = ownOrAdmin(c, id).role === "admin";
      if (password !== undefined && !isAdmin) {
        throw new Problem(403, "Only an administrator may set a password here.");
      }
      const passwordHash = password === undefined ? null : await hashPassword(password);
      const stored = await write(async (connection) => {
        await put(connection, id, input, { passwordHash, mayCreate: isAdmin });
        return findUser(connection, id);
      });
      return c.json(stored, 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/users/{id}/addresses/{label}",
      summary: `Create or replace an address of a user, who may have ${maxAddresses}`,
      middleware: auth.user,
      request: {
        params: byId.extend({ label }),
        body: jsonBody(
          z
            .object({ street: z.string().trim().min(1).max(200), city: z.string().trim().min(1).max(100) })
            .openapi("AddressInput"),
        ),
      },
      responses: reply(200, "The user as stored", user),
    }),
    async (c) => {
      const { id, label } = c.req.valid("param");
      ownOrAdmin(c, id);
      const address = c.req.valid("json");
      const stored = await write(async (connection) => {
        await putAddress(connection, id, { label, ...address });
        return findUser(connection, id);
      });
      return c.json(stored, 200);
    },
  );
}

async function putAddress(
  connection: Connection,
  id: number,
  { label, street, city }: User["addresses"][number],
): Promise<void> {
  // Two at once would each see room for one more.
  const [users] = await connection.execute<RowDataPacket[]>("SELECT id FROM users WHERE id = ? FOR UPDATE", [
    id,
  ]);
  if (users.length === 0) {
    throw missing(id);
  }
  const [others] = await connection.execute<RowDataPacket[]>(
    "SELECT label FROM addresses WHERE user_id = ? AND label <> ? LIMIT ?",
    [id, label, String(maxAddresses)],
  );
  if (others.length === maxAddresses) {
    throw new Problem(
      409,
      `User ${id} has ${maxAddresses} addresses, and can't have more. Replace one of them.`,
    );
  }
  await connection.execute(
    `INSERT INTO addresses (user_id, label, street, city) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE street = VALUES(street), city = VALUES(city)`,
    [id, label, street, city],
  );
}

/** Replaces a profile, or makes a user, and tells the other services if there is something new to them. */
async function put(
  connection: Connection,
  id: number,
  { name, email, age = null }: Profile,
  { passwordHash, mayCreate }: { passwordHash: string | null; mayCreate: boolean },
): Promise<void> {
  const [[before]] = await connection.execute<RowDataPacket[]>("SELECT name, email FROM users WHERE id = ?", [
    id,
  ]);
  if (!before && !mayCreate) {
    throw missing(id);
  }
  if (!before && id > maxChosenId) {
    throw new Problem(
      400,
      `A new user's id is at most ${maxChosenId}. Choose a lower one, or POST without any.`,
    );
  }
  if (!before && (await wasErased(connection, id))) {
    throw new Problem(409, `User ${id} was erased, and stays so. Choose another id, or POST without any.`);
  }
  // Not ON DUPLICATE KEY: it would also overwrite another user who has the same email.
  const [sql, values] = before
    ? [
        "UPDATE users SET name = ?, email = ?, age = ?, password_hash = COALESCE(?, password_hash) WHERE id = ?",
        [name, email, age, passwordHash, id],
      ]
    : [
        "INSERT INTO users (name, email, age, password_hash, id) VALUES (?, ?, ?, ?, ?)",
        [name, email, age, passwordHash, id],
      ];
  try {
    const [{ affectedRows }] = await connection.execute<ResultSetHeader>(sql, values);
    if (affectedRows === 0) {
      throw missing(id);
    }
  } catch (error) {
    throw isDuplicate(error) ? conflict(error as Error, id, email) : error;
  }
  if (!before) {
    await announce(connection, "user.registered.v1", { id, name, email });
  } else if (before.name !== name || before.email !== email) {
    await announce(connection, "user.changed.v1", { id, name, email });
  }
}

/** The other services take in nothing more of such a user. */
async function wasErased(connection: Connection, id: number): Promise<boolean> {
  const [rows] = await connection.execute<RowDataPacket[]>(
    "SELECT 1 FROM erasures WHERE user_id = ? LIMIT 1",
    [id],
  );
  return rows.length > 0;
}

/** Which of the two unique keys was taken. */
function conflict({ message }: Error, id: number, email: string): Problem {
  return message.includes("users_email")
    ? new Problem(409, `Another user has the email ${email}.`)
    : new Problem(409, `Somebody else is creating user ${id} at this moment. Try again.`);
}
