import type { Logger } from "@lab/service-kit";
import type { Pool, RowDataPacket } from "mysql2/promise";
import { hashPassword, verifyPassword } from "./passwords.ts";

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
  await pool.execute(
    `INSERT INTO users (name, email, role, password_hash) VALUES ('Administrator', ?, 'admin', ?)
     ON DUPLICATE KEY UPDATE role = VALUES(role), password_hash = VALUES(password_hash)`,
    [email, await hashPassword(password)],
  );
  log.info("the administrator can log in");
}
