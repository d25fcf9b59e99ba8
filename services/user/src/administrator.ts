import { transaction } from "@lab/mysql";
import type { Logger } from "@lab/service-kit";
import type { Pool, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { hashPassword, verifyPassword } from "./passwords.ts";
import { announce } from "./user.ts";

const name = "Administrator";

/** Has an administrator with this email and password; one who is there gets the password, if it is another. */
export async function ensureAdministrator(
  pool: Pool,
  { email, password }: { email: string; password: string },
  log: Logger,
): Promise<void> {
  const [[row]] = await pool.execute<RowDataPacket[]>(
    "SELECT role, password_hash FROM users WHERE email = ?",
    [email],
  );
  if (row?.role === "admin" && (await verifyPassword(password, row.password_hash))) {
    return;
  }
  const passwordHash = await hashPassword(password);
  await transaction(pool, async (connection) => {
    const [{ affectedRows, insertId: id }] = await connection.execute<ResultSetHeader>(
      `INSERT INTO users (name, email, role, password_hash) VALUES (?, ?, 'admin', ?)
       ON DUPLICATE KEY UPDATE role = VALUES(role), password_hash = VALUES(password_hash)`,
      [name, email, passwordHash],
    );
    // 2 for one who was there.
    if (affectedRows === 1) {
      await announce(connection, "user.registered.v1", { id, name, email });
    }
  });
  log.info("the administrator can log in");
}
