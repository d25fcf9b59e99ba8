import { addToOutbox, isDuplicate, noteErased } from "@lab/mysql";
import type { Pool, PoolConnection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { announce, announcementOf } from "./announce.ts";
import { begun, type Fact, learn, type Payment, voidedPayment } from "./payment.ts";
import type { OrderIdentity } from "./settle.ts";

/** A payment as the database has it. */
export interface PaymentRow extends Payment {
  orderId: string;
  /** Null once the user has been erased. */
  userId: number | null;
  chain: "async" | "sync";
  amountCents: number;
  createdAt: Date;
  changedAt: Date;
}

/** What a payment begins with. */
export interface PlacedOrder {
  orderId: string;
  userId: number;
  totalCents: number;
  chain: "async" | "sync";
}

const columns = `
  order_id AS orderId, user_id AS userId, chain, amount_cents AS amountCents, state, charge_id AS chargeId,
  refund_id AS refundId, decline_reason AS declineReason, cancel_reason AS cancelReason,
  created_at AS createdAt, changed_at AS changedAt`;

/** The user, for a new row: nobody, if he has been erased. Locks the question, so that an erasure waits for the row. */
const userUnlessErased = "IF(EXISTS (SELECT 1 FROM erased_users WHERE user_id = ?), NULL, ?)";

const isOpen = "state IN ('charging', 'unknown', 'refunding')";

/**
 * Writes down that an order is about to be charged, before the provider hears of it.
 *
 * @returns whether it was new; an order that was cancelled first stays voided
 */
export function begin(connection: Pool | PoolConnection, order: PlacedOrder): Promise<boolean> {
  const { orderId, userId, totalCents, chain } = order;
  return insert(
    connection,
    `INSERT INTO payments (order_id, user_id, chain, amount_cents, state)
     VALUES (?, ${userUnlessErased}, ?, ?, ?)`,
    [orderId, userId, userId, chain, totalCents, begun.state],
  );
}

/** A payment, if there is one. */
export async function findPayment(pool: Pool, orderId: string): Promise<PaymentRow | undefined> {
  const [rows] = await pool.execute<RowDataPacket[]>(`SELECT ${columns} FROM payments WHERE order_id = ?`, [
    orderId,
  ]);
  return rows[0] as PaymentRow | undefined;
}

/**
 * Writes down a fact about a payment and, in the same transaction, the event that announces how it ended.
 *
 * @param order with what the event needs
 */
export async function record(
  connection: PoolConnection,
  order: OrderIdentity,
  fact: Fact,
): Promise<PaymentRow> {
  const { orderId } = order;
  const [[row]] = await connection.execute<RowDataPacket[]>(
    `SELECT ${columns} FROM payments WHERE order_id = ? FOR UPDATE`,
    [orderId],
  );
  if (!row) {
    throw new Error(`There is no payment for the order ${orderId}.`);
  }
  const before = row as PaymentRow;
  const { payment, outcome } = learn(before, fact);
  const after = { ...before, ...payment };
  await connection.execute(
    `UPDATE payments SET state = ?, charge_id = ?, refund_id = ?, decline_reason = ?, cancel_reason = ?
     WHERE order_id = ?`,
    [after.state, after.chargeId, after.refundId, after.declineReason, after.cancelReason, orderId],
  );
  if (outcome) {
    await addToOutbox(connection, [announcementOf(outcome, after, order)]);
  }
  return after;
}

/** Writes down that an order came to nothing. One that never was to be charged is announced as voided at once. */
export async function recordCancelled(
  connection: PoolConnection,
  order: { orderId: string; userId: number },
  reason: string,
): Promise<void> {
  const { orderId, userId } = order;
  const { state, cancelReason } = voidedPayment(reason);
  const isNew = await insert(
    connection,
    `INSERT INTO payments (order_id, user_id, chain, amount_cents, state, cancel_reason)
     VALUES (?, ${userUnlessErased}, 'async', 0, ?, ?)`,
    [orderId, userId, userId, state, cancelReason],
  );
  if (isNew) {
    await addToOutbox(connection, [announce("payment.voided.v1", { orderId, userId })]);
  } else {
    await record(connection, order, { kind: "cancelled", reason });
  }
}

/** Payments that have waited for the provider for so long that nobody can be at them any more. */
export async function forgottenPayments(
  pool: Pool,
  olderThanMs: number,
  limit: number,
): Promise<PaymentRow[]> {
  return await select(pool, `${isOpen} AND user_id IS NOT NULL AND ${isOlder} ORDER BY changed_at LIMIT ?`, [
    olderThanMs * 1000,
    limit,
  ]);
}

/** Payments of the synchronous chain whose customers have not been told for so long that nobody will. */
export async function unconfirmedPayments(
  pool: Pool,
  olderThanMs: number,
  limit: number,
): Promise<PaymentRow[]> {
  return await select(
    pool,
    `state = 'captured' AND chain = 'sync' AND is_confirmed = FALSE AND user_id IS NOT NULL AND ${isOlder}
     ORDER BY changed_at LIMIT ?`,
    [olderThanMs * 1000, limit],
  );
}

/** Lets the others go before a payment that nothing could be done for now. */
export async function postpone(pool: Pool, orderId: string): Promise<void> {
  await pool.execute("UPDATE payments SET changed_at = CURRENT_TIMESTAMP(3) WHERE order_id = ?", [orderId]);
}

/** Writes down that the customer has been told of a payment of the synchronous chain. */
export async function recordConfirmed(pool: Pool, orderId: string): Promise<void> {
  await pool.execute("UPDATE payments SET is_confirmed = TRUE WHERE order_id = ?", [orderId]);
}

/** The payments of a user that wait for the provider. */
export function openPaymentsOf(pool: Pool, userId: number): Promise<PaymentRow[]> {
  return select(pool, `user_id = ? AND ${isOpen}`, [userId]);
}

/**
 * Takes a user out of the books, in which the payments have to stay, and keeps him out of those that come late.
 *
 * @returns how many payments there were
 */
export async function forgetUser(connection: PoolConnection, userId: number): Promise<number> {
  await noteErased(connection, userId);
  const [{ affectedRows }] = await connection.execute<ResultSetHeader>(
    "UPDATE payments SET user_id = NULL WHERE user_id = ?",
    [userId],
  );
  return affectedRows;
}

const isOlder = "changed_at < CURRENT_TIMESTAMP(3) - INTERVAL ? MICROSECOND";

async function select(pool: Pool, condition: string, values: number[]): Promise<PaymentRow[]> {
  const [rows] = await pool.query<RowDataPacket[]>(
    `SELECT ${columns} FROM payments WHERE ${condition}`,
    values,
  );
  return rows as PaymentRow[];
}

/** Whether the row was new. */
async function insert(
  connection: Pool | PoolConnection,
  statement: string,
  values: Array<string | number | null>,
): Promise<boolean> {
  try {
    await connection.execute(statement, values);
    return true;
  } catch (error) {
    if (isDuplicate(error)) {
      return false;
    }
    throw error;
  }
}
