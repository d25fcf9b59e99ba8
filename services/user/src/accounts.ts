import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { isDuplicate } from "@lab/mysql";
import { type AppEnvironment, type Auth, jsonBody, Problem, reply, secured } from "@lab/service-kit";
import type { Pool, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { hashPassword, isCurrentHash, verifyPassword } from "./passwords.ts";
import type { IssueToken } from "./tokens.ts";
import { announce, findUser, newPassword, profile, user, type Write } from "./user.ts";

const registration = profile.extend({ password: newPassword }).openapi("Registration", {
  example: { name: "Riya", email: "riya@example.org", password: "correct horse battery" },
});

const login = z
  .object({
    email: z.email().max(254),
    password: z.string().min(1).max(200).openapi({ format: "password" }),
  })
  .openapi("Login");

const session = z.object({ token: z.string(), expiresAt: z.iso.datetime(), user }).openapi("Session");

/** Making an account, and logging in to it. How often somebody may try is the gateway's to say. */
export function accountRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { pool, write, auth, issue }: { pool: Pool; write: Write; auth: Auth; issue: IssueToken },
): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/users",
      summary: "Register",
      request: { body: jsonBody(registration) },
      responses: reply(201, "The new user", user),
    }),
    async (c) => {
      const { name, email, age = null, password } = c.req.valid("json");
      const passwordHash = await hashPassword(password);
      const created = await write(async (connection) => {
        try {
          const [{ insertId: id }] = await connection.execute<ResultSetHeader>(
            "INSERT INTO users (name, email, age, password_hash) VALUES (?, ?, ?, ?)",
            [name, email, age, passwordHash],
          );
          await announce(connection, "user.registered.v1", { id, name, email });
          return findUser(connection, id);
        } catch (error) {
          throw isDuplicate(error) ? new Problem(409, `Another user has the email ${email}.`) : error;
        }
      });
      c.header("location", `/api/users/${created.id}`);
      return c.json(created, 201);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/users/login",
      summary: "Log in: get a token to send as `Authorization: Bearer <token>`",
      request: { body: jsonBody(login) },
      responses: reply(200, "The token, and whose it is", session),
    }),
    async (c) => {
      const { email, password } = c.req.valid("json");
      const [[row]] = await pool.execute<RowDataPacket[]>(
        "SELECT id, password_hash FROM users WHERE email = ?",
        [email],
      );
      const passwordHash: string | null = row?.password_hash ?? null;
      // For an unknown email, too: how long it takes tells nobody who has an account.
      const isRight = await verifyPassword(password, passwordHash);
      if (!row || !passwordHash || !isRight) {
        throw new Problem(401, "The email or the password is wrong.");
      }
      if (!isCurrentHash(passwordHash)) {
        await pool.execute("UPDATE users SET password_hash = ? WHERE id = ?", [
          await hashPassword(password),
          row.id,
        ]);
      }
      const user = await findUser(pool, row.id);
      const { token, expiresAt } = await issue({ userId: user.id, name: user.name, role: user.role });
      return c.json({ token, expiresAt, user }, 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/users/me",
      summary: "Who am I?",
      middleware: auth.user,
      responses: reply(200, "The user whose token it is", user),
    }),
    async (c) => c.json(await findUser(pool, c.get("identity").userId), 200),
  );
}
