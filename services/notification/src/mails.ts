import { addToOutbox } from "@lab/mysql";
import type { Pool, PoolConnection, RowDataPacket } from "mysql2/promise";
import { announce } from "./announce.ts";
import { type MailKind, messageIdOf, type OrderSummary } from "./letter.ts";
import { isErased } from "./projections.ts";

/** A mail that is to be sent. */
export interface NewMail {
  orderId: string;
  userId: number;
  kind: MailKind;
  /** What was taken or given back; null for nothing. */
  amountCents: number | null;
  reason: string | null;
}

/** A mail in the books. */
export interface Mail extends NewMail {
  id: number;
  messageId: string;
  /** `refused`: the mail server will never take it. */
  state: "due" | "sent" | "refused";
  createdAt: Date;
  sentAt: Date | null;
}

/** A mail that is due, with all that its text needs. */
export interface DueMail extends Mail {
  name: string;
  email: string;
  /** Undefined where the mail came before the order was known. */
  order: OrderSummary | undefined;
}

const columns = `
  m.id, m.message_id AS messageId, m.user_id AS userId, m.order_id AS orderId, m.kind, m.amount_cents AS amountCents,
  m.reason, m.state, m.created_at AS createdAt, m.sent_at AS sentAt`;

/** Writes down that a mail is due, before it is sent. An order gets one of a kind, and nobody who is erased gets any. */
export async function addMail(connection: PoolConnection, mail: NewMail): Promise<void> {
  const { orderId, userId, kind, amountCents, reason } = mail;
  if (await isErased(connection, userId)) {
    return;
  }
  await connection.execute(
    `INSERT INTO mails (message_id, user_id, order_id, kind, amount_cents, reason) VALUES (?, ?, ?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE user_id = user_id`,
    [messageIdOf(orderId, kind), userId, orderId, kind, amountCents, reason],
  );
}

/** The mails of an order that are due and can be addressed. */
export function dueMailsOfOrder(pool: Pool, orderId: string): Promise<DueMail[]> {
  return dueMails(pool, "m.order_id = ? ORDER BY m.id", orderId);
}

/** The mails to a user that are due and can be addressed. */
export function dueMailsOfUser(pool: Pool, userId: number): Promise<DueMail[]> {
  return dueMails(pool, "m.user_id = ? ORDER BY m.id", userId);
}

/** A hundred mails that were postponed at least so long ago, those that have waited longest first. */
export function postponedMails(pool: Pool, afterMs: number): Promise<DueMail[]> {
  return dueMails(
    pool,
    "m.tried_at < CURRENT_TIMESTAMP(3) - INTERVAL ? MICROSECOND ORDER BY m.tried_at LIMIT 100",
    afterMs * 1000,
  );
}

async function dueMails(pool: Pool, which: string, value: string | number): Promise<DueMail[]> {
  const [rows] = await pool.execute<RowDataPacket[]>(
    `SELECT ${columns}, r.name, r.email, o.total_cents AS totalCents, o.\`lines\` AS orderLines
     FROM mails m JOIN recipients r ON r.user_id = m.user_id LEFT JOIN orders o ON o.order_id = m.order_id
     WHERE m.state = 'due' AND r.email IS NOT NULL AND ${which}`,
    [value],
  );
  return rows.map(({ totalCents, orderLines, ...mail }) => ({
    ...(mail as Mail & { name: string; email: string }),
    order:
      orderLines === null ? undefined : { orderId: mail.orderId, totalCents, lines: JSON.parse(orderLines) },
  }));
}

/** Writes down that a mail has been sent, and tells the others in the same transaction. */
export async function markSent(connection: PoolConnection, mail: Mail): Promise<void> {
  const { id, orderId, userId, messageId, kind } = mail;
  const [[row]] = await connection.execute<RowDataPacket[]>(
    "SELECT state FROM mails WHERE id = ? FOR UPDATE",
    [id],
  );
  if (row?.state === "due") {
    await connection.execute("UPDATE mails SET state = 'sent', sent_at = CURRENT_TIMESTAMP(3) WHERE id = ?", [
      id,
    ]);
    await addToOutbox(connection, [announce("notification.sent.v1", { orderId, userId, messageId, kind })]);
  }
}

/** Leaves a mail due, to be tried again later. */
export async function postpone(pool: Pool, { id }: Mail): Promise<void> {
  await pool.execute("UPDATE mails SET tried_at = CURRENT_TIMESTAMP(3) WHERE id = ?", [id]);
}

/** Writes down that the mail server won't take a mail, now or later. */
export async function markRefused(pool: Pool, { id }: Mail): Promise<void> {
  await pool.execute("UPDATE mails SET state = 'refused' WHERE id = ? AND state = 'due'", [id]);
}

/** The mail with a Message-ID, if there is one. */
export async function findMail(pool: Pool, messageId: string): Promise<Mail | undefined> {
  const [rows] = await pool.execute<RowDataPacket[]>(
    `SELECT ${columns} FROM mails m WHERE m.message_id = ?`,
    [messageId],
  );
  return rows[0] as Mail | undefined;
}

/** A page of a user's mails, the oldest first. */
export async function mailsOf(
  pool: Pool,
  userId: number,
  { after, limit }: { after: number; limit: number },
): Promise<Mail[]> {
  const [rows] = await pool.query<RowDataPacket[]>(
    `SELECT ${columns} FROM mails m WHERE m.user_id = ? AND m.id > ? ORDER BY m.id LIMIT ?`,
    [userId, after, limit],
  );
  return rows as Mail[];
}
