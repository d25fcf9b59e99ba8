import { z } from "@hono/zod-openapi";
import { eventOf } from "@lab/messaging";
import { addToOutbox } from "@lab/mysql";
import { Problem } from "@lab/service-kit";
import type { Connection, Pool, PoolConnection, RowDataPacket } from "mysql2/promise";

/** Writes in one transaction, and has its events published. */
export type Write = <T>(run: (connection: PoolConnection) => Promise<T>) => Promise<T>;

export const byId = z.object({
  id: z.coerce.number().int().min(1).max(4_294_967_295).openapi({ example: 101 }),
});

export const profile = z.object({
  name: z.string().trim().min(1).max(100),
  email: z.email().max(254),
  age: z.number().int().min(0).max(150).nullish(),
});

export type Profile = z.infer<typeof profile>;

export const newPassword = z
  .string()
  .min(8)
  .max(200)
  .openapi({ example: "correct horse battery", format: "password" });

const address = z.object({ label: z.string(), street: z.string(), city: z.string() }).openapi("Address");

export const user = z
  .object({
    id: z.number().int(),
    name: z.string(),
    email: z.string(),
    age: z.number().int().nullable(),
    role: z.enum(["customer", "admin"]),
    addresses: z.array(address),
  })
  .openapi("User");

export type User = z.infer<typeof user>;

/** A user with each of his addresses: one statement, put together by the join. */
export const joined = `
  SELECT u.id, u.name, u.email, u.age, u.role, a.label, a.street, a.city
  FROM users u LEFT JOIN addresses a ON a.user_id = u.id`;

/** @throws Problem 404 */
export async function findUser(database: Pool | Connection, id: number): Promise<User> {
  const [rows] = await database.execute<RowDataPacket[]>(`${joined} WHERE u.id = ? ORDER BY a.label`, [id]);
  const [found] = fold(rows);
  if (!found) {
    throw missing(id);
  }
  return found;
}

/** The rows of the join, one an address, as one object a user. */
export function fold(rows: RowDataPacket[]): User[] {
  const users = new Map<number, User>();
  for (const { id, name, email, age, role, label, street, city } of rows) {
    const user: User = users.get(id) ?? { id, name, email, age, role, addresses: [] };
    users.set(id, user);
    if (label !== null) {
      user.addresses.push({ label, street, city });
    }
  }
  return [...users.values()];
}

/** Tells the other services of a person, once the transaction is committed. */
export async function announce(
  connection: Connection,
  type: "user.registered.v1" | "user.changed.v1",
  { id: userId, name, email }: Pick<User, "id" | "name" | "email">,
): Promise<void> {
  await addToOutbox(connection, [
    eventOf(type, { key: String(userId), source: "user", data: { userId, name, email } }),
  ]);
}

export function missing(id: number): Problem {
  return new Problem(404, `There is no user ${id}.`);
}
