import type { Connection } from "mysql2/promise";
import type { Migration } from "./migrate.ts";

/** Those who were erased, so that what comes late about one of them does not bring him back. */
export const erasedUsersMigration: Migration = {
  name: "erased users",
  statements: ["CREATE TABLE IF NOT EXISTS erased_users (user_id INT UNSIGNED NOT NULL PRIMARY KEY)"],
};

/** Notes that a user was erased, in the transaction that takes him out of the other tables. */
export async function noteErased(connection: Connection, userId: number): Promise<void> {
  await connection.execute(
    "INSERT INTO erased_users (user_id) VALUES (?) ON DUPLICATE KEY UPDATE user_id = user_id",
    [userId],
  );
}
