import type { ShopEvent } from "@lab/messaging";
import { addToOutbox, isMysqlAway, noteErased, transaction } from "@lab/mysql";
import {
  format,
  type Pool,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
  raw,
} from "mysql2/promise";
import type { Order } from "./schema.ts";
import { after, type OrderState, type Trigger } from "./states.ts";

/** By what a repeated request is known. */
export interface RequestIdentity {
  idempotencyKey: string;
  requestHash: Buffer;
}

export interface NewOrder extends RequestIdentity {
  order: Order;
  /** What the world is told, once the order is in the books. */
  event: ShopEvent<"order.placed.v1">;
}

/**
 * Writes orders, their lines and their events in one transaction.
 *
 * @returns for each whether it is written now; false when its customer has used the key before, or has been erased
 */
export async function insertOrders(pool: Pool, placed: readonly NewOrder[]): Promise<boolean[]> {
  try {
    await transaction(pool, (connection) => insert(connection, placed));
    return placed.map(() => true);
  } catch (error) {
    if (placed.length === 1 && (isDuplicateKey(error) || isOfErased(error))) {
      return [false];
    }
    if (placed.length === 1 || isMysqlAway(error)) {
      throw error;
    }
    // One of them is at fault, and the others are not to suffer for it.
    const written: boolean[] = [];
    for (const one of placed) {
      written.push(...(await insertOrders(pool, [one])));
    }
    return written;
  }
}

async function insert(connection: PoolConnection, placed: readonly NewOrder[]): Promise<void> {
  const userIds = placed.map(({ order }) => order.userId);
  await connection.query(
    "INSERT INTO orders (id, user_id, state, total_cents, idempotency_key, request_hash, placed_at) VALUES ?",
    [
      placed.map(({ order, idempotencyKey, requestHash }, index) => {
        const { orderId, userId, totalCents, placedAt } = order;
        // Asked once for all, and in the same statement, which costs no way to the server more.
        const state = index === 0 ? stateUnlessErased(order.state, userIds) : order.state;
        return [orderId, userId, state, totalCents, idempotencyKey, requestHash, new Date(placedAt)];
      }),
    ],
  );
  await connection.query(
    "INSERT INTO order_lines (order_id, line, sku, name, quantity, price_cents) VALUES ?",
    [
      placed.flatMap(({ order: { orderId, lines } }) =>
        lines.map(({ sku, name, quantity, priceCents }, index) => [
          orderId,
          index + 1,
          sku,
          name,
          quantity,
          priceCents,
        ]),
      ),
    ],
  );
  await addToOutbox(
    connection,
    placed.map(({ event }) => event),
  );
}

/** NULL, which no order's state may be, if one of the users has been erased. An erasure waits until they are written. */
function stateUnlessErased(state: OrderState, userIds: Array<number | null>) {
  return raw(
    format("IF(EXISTS (SELECT 1 FROM erased_users WHERE user_id IN (?)), NULL, ?)", [userIds, state]),
  );
}

function isOfErased(error: unknown): boolean {
  const { code, sqlMessage } = error as { code?: string; sqlMessage?: string };
  return code === "ER_BAD_NULL_ERROR" && sqlMessage?.includes("'state'") === true;
}

/** https://mariadb.com/kb/en/mariadb-error-code-reference/ */
function isDuplicateKey(error: unknown): boolean {
  const { code, sqlMessage } = error as { code?: string; sqlMessage?: string };
  return code === "ER_DUP_ENTRY" && sqlMessage?.includes("orders_idempotency") === true;
}

/** An order with each of its lines: one statement, put together by the join. */
const joined = `
  SELECT o.id, o.user_id, o.state, o.reason, o.total_cents, o.placed_at, o.request_hash,
    l.sku, l.name, l.quantity, l.price_cents
  FROM orders o JOIN order_lines l ON l.order_id = o.id`;

export async function findOrder(pool: Pool, orderId: string): Promise<Order | undefined> {
  const [rows] = await pool.execute<RowDataPacket[]>(`${joined} WHERE o.id = ? ORDER BY l.line`, [orderId]);
  return fold(rows)[0];
}

/** The order that a customer has placed with this key before. */
export async function findByKey(
  pool: Pool,
  userId: number,
  idempotencyKey: string,
): Promise<{ order: Order; requestHash: Buffer } | undefined> {
  const [rows] = await pool.execute<RowDataPacket[]>(
    `${joined} WHERE o.user_id = ? AND o.idempotency_key = ? ORDER BY l.line`,
    [userId, idempotencyKey],
  );
  const [order] = fold(rows);
  return order && { order, requestHash: rows[0]?.request_hash };
}

/**
 * A page of a customer's orders, the newest first.
 *
 * @param after the last order of the page before
 */
export async function ordersOf(
  pool: Pool,
  userId: number,
  { after = null, limit }: { after?: string | null; limit: number },
): Promise<Order[]> {
  // Ids begin with the time, so that to go back in them is to go back in time.
  const [rows] = await pool.query<RowDataPacket[]>(
    `${joined}
     JOIN (
       SELECT id FROM orders WHERE user_id = ? AND (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?
     ) page ON page.id = o.id
     ORDER BY o.id DESC, l.line`,
    [userId, after, after, limit],
  );
  return fold(rows);
}

/** What has happened to an order. */
export interface Move {
  before: OrderState;
  state: OrderState;
}

/**
 * Moves an order on. The row is locked, so that of two who move it the second sees what the first has done.
 *
 * @param reason kept where the order changes
 * @returns undefined when there is no such order
 * @throws IllegalMoveError when that can't happen to it as it is
 */
export async function moveOrder(
  connection: PoolConnection,
  orderId: string,
  trigger: Trigger,
  reason: string | null = null,
): Promise<Move | undefined> {
  const before = await stateOf(connection, orderId);
  if (before === undefined) {
    return undefined;
  }
  const state = after(before, trigger);
  if (state !== before) {
    await connection.execute("UPDATE orders SET state = ?, reason = COALESCE(?, reason) WHERE id = ?", [
      state,
      reason,
      orderId,
    ]);
  }
  return { before, state };
}

/** The state of an order, which nobody else changes before this transaction is over. */
export async function stateOf(connection: PoolConnection, orderId: string): Promise<OrderState | undefined> {
  const [[row]] = await connection.execute<RowDataPacket[]>(
    "SELECT state FROM orders WHERE id = ? FOR UPDATE",
    [orderId],
  );
  return row?.state;
}

/**
 * Takes a person out of the books, and keeps him out. The orders stay, because the law wants a shop to keep its books, but nobody
 * stands in them.
 *
 * @returns how many orders there were
 */
export async function forgetCustomer(connection: PoolConnection, userId: number): Promise<number> {
  await noteErased(connection, userId);
  const [{ affectedRows }] = await connection.execute<ResultSetHeader>(
    "UPDATE orders SET user_id = NULL, idempotency_key = NULL, request_hash = NULL WHERE user_id = ?",
    [userId],
  );
  return affectedRows;
}

/** The rows of the join, one a line, as one object an order. */
function fold(rows: RowDataPacket[]): Order[] {
  const orders = new Map<string, Order>();
  for (const row of rows) {
    let order = orders.get(row.id);
    if (!order) {
      order = {
        orderId: row.id,
        userId: row.user_id,
        state: row.state,
        reason: row.reason,
        lines: [],
        totalCents: row.total_cents,
        currency: "EUR",
        placedAt: row.placed_at.toISOString(),
      };
      orders.set(row.id, order);
    }
    order.lines.push({
      sku: row.sku,
      name: row.name,
      quantity: row.quantity,
      priceCents: row.price_cents,
    });
  }
  return [...orders.values()];
}
