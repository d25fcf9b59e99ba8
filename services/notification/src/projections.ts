import type { DataOf } from "@lab/messaging";
import type { PoolConnection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { OrderSummary } from "./letter.ts";

/** A user as mails know him. */
export interface Recipient {
  userId: number;
  name: string;
  email: string;
}

/**
 * Keeps what a user is called and where mail reaches him; one who has been erased stays so, and what comes late, as a dead letter
 * does that is replayed, doesn't replace what is newer.
 *
 * @param toldAt when that was so
 */
export async function keepRecipient(
  connection: PoolConnection,
  { userId, name, email }: Recipient,
  toldAt: Date,
): Promise<void> {
  // Assigned from left to right, so that each is compared with the time that was.
  await connection.execute(
    `INSERT INTO recipients (user_id, name, email, told_at) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE
       name = IF(email IS NULL OR told_at > VALUES(told_at), name, VALUES(name)),
       email = IF(email IS NULL OR told_at > VALUES(told_at), email, VALUES(email)),
       told_at = IF(told_at > VALUES(told_at), told_at, VALUES(told_at))`,
    [userId, name, email, toldAt],
  );
}

/** Keeps an order's lines, which the events about its payment don't repeat. */
export async function keepOrder(
  connection: PoolConnection,
  { orderId, userId, totalCents, lines }: OrderSummary & { userId: number },
): Promise<void> {
  if (await isErased(connection, userId)) {
    return;
  }
  await connection.execute(
    `INSERT INTO orders (order_id, user_id, total_cents, \`lines\`) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE user_id = user_id`,
    [orderId, userId, totalCents, JSON.stringify(lines)],
  );
}

/** Keeps that an order was cancelled, which tells why its payment is given back. */
export async function keepCancellation(
  connection: PoolConnection,
  { orderId }: DataOf<"order.cancelled.v1">,
): Promise<void> {
  await connection.execute("UPDATE orders SET is_cancelled = TRUE WHERE order_id = ?", [orderId]);
}

/** Whether the customer has cancelled the order. */
export async function isCancelled(connection: PoolConnection, orderId: string): Promise<boolean> {
  const [[row]] = await connection.execute<RowDataPacket[]>(
    "SELECT is_cancelled AS isCancelled FROM orders WHERE order_id = ?",
    [orderId],
  );
  return row?.isCancelled === 1;
}

/** Whether the user has been erased, so that nothing about him may be kept any more. An erasure waits for who has asked. */
export async function isErased(connection: PoolConnection, userId: number): Promise<boolean> {
  const [rows] = await connection.execute<RowDataPacket[]>(
    "SELECT 1 FROM recipients WHERE user_id = ? AND email IS NULL LOCK IN SHARE MODE",
    [userId],
  );
  return rows.length > 0;
}

/**
 * Removes all that is known about a user but that he has been erased.
 *
 * @returns how many records that were
 */
export async function forgetUser(connection: PoolConnection, userId: number): Promise<number> {
  let records = 0;
  for (const table of ["recipients", "mails", "orders"]) {
    const [{ affectedRows }] = await connection.execute<ResultSetHeader>(
      `DELETE FROM ${table} WHERE user_id = ?`,
      [userId],
    );
    records += affectedRows;
  }
  await connection.execute("INSERT INTO recipients (user_id) VALUES (?)", [userId]);
  return records;
}
