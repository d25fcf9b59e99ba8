import type { Connection, RowDataPacket } from "mysql2/promise";
import { request } from "undici";
import { type KeptMail, mailsAfter } from "../load/mails.ts";
import type { Outputs } from "../outputs.ts";
import { connectMysql } from "../query/mysql.ts";
import { withOperator } from "../queue/operator.ts";
import { readQueue } from "../queue/read.ts";
import type { Stack } from "../stack.ts";
import type { Evidence } from "./tally.ts";

/** Where the pipeline stands. */
export interface Backlog {
  /** Events that services have written and not yet published. */
  outbox: number;
  /** Events that consumers have not got yet, by service. */
  pending: Record<string, number>;
  /** Events that consumers have got and not yet acknowledged. */
  underWay: number;
}

/** How far the ledger and the mails had come when a run began. */
export interface Marks {
  ledgerSeq: number;
  mailSeq: number;
}

/** The databases of the services that an order passes; all have an outbox. */
const databases = ["order", "payment", "notification"] as const;

/** The services whose consumers an order waits for. */
const consumers = ["order", "payment", "notification", "product"] as const;

const pageSize = 500;
const timeoutMs = 5000;

/** Reads what the stores, the provider and the mail sink have. */
export class Stores {
  readonly #stack: Stack;
  readonly #outputs: Outputs;

  constructor(stack: Stack, outputs: Outputs) {
    this.#stack = stack;
    this.#outputs = outputs;
  }

  /** What the ledger and the mails end with now. */
  async marks(): Promise<Marks> {
    const [ledger, mails] = await Promise.all([this.#ledger(0), mailsAfter(this.#outputs.urls.mail, 0)]);
    return { ledgerSeq: ledger.at(-1)?.seq ?? 0, mailSeq: mails.at(-1)?.seq ?? 0 };
  }

  /** What there is of some customers' orders. */
  async read(
    userIds: readonly number[],
    marks: Marks,
  ): Promise<Omit<Evidence, "accepted" | "unanswered"> & { mails: KeptMail[] }> {
    const [[orders, payments], ledger, mails] = await Promise.all([
      this.#withMysql(async (connection) => [
        await rows(connection, "SELECT id, state FROM `order`.orders WHERE user_id IN (?)", [userIds]),
        await rows(connection, "SELECT order_id AS id, state FROM payment.payments WHERE user_id IN (?)", [
          userIds,
        ]),
      ]),
      this.#ledger(marks.ledgerSeq),
      mailsAfter(this.#outputs.urls.mail, marks.mailSeq),
    ]);
    return {
      orders: orders as Evidence["orders"],
      payments: payments as Evidence["payments"],
      ledger,
      mails,
    };
  }

  /** What is still to be published or consumed. */
  async backlog(): Promise<Backlog> {
    const [outbox, { pending, underWay }] = await Promise.all([
      this.#withMysql(async (connection) => {
        const counts = databases.map((database) => `(SELECT COUNT(*) FROM \`${database}\`.outbox)`);
        const [[row]] = await connection.query<RowDataPacket[]>(`SELECT ${counts.join(" + ")} AS waiting`);
        return Number(row?.waiting);
      }),
      this.#consumers(),
    ]);
    return { outbox, pending, underWay };
  }

  async #withMysql<T>(read: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await connectMysql(this.#outputs.credentials.mysql);
    try {
      return await read(connection);
    } finally {
      connection.destroy();
    }
  }

  async #ledger(after: number): Promise<LedgerEntry[]> {
    const { urls, credentials } = this.#outputs;
    const headers = { authorization: `Bearer ${credentials.paymentProvider.apiKey}` };
    const all: LedgerEntry[] = [];
    for (;;) {
      const seq = all.at(-1)?.seq ?? after;
      const url = new URL(`/v1/ledger?after=${seq}&limit=${pageSize}`, urls.paymentProvider);
      const { entries } = await get<{ entries: LedgerEntry[] }>(url, headers);
      all.push(...entries);
      if (entries.length < pageSize) {
        return all;
      }
    }
  }

  async #consumers(): Promise<Pick<Backlog, "pending" | "underWay">> {
    const { services } = await withOperator(this.#stack, this.#outputs, readQueue);
    const own = consumers.map((name) => services.find(({ service }) => service === name));
    return {
      pending: Object.fromEntries(consumers.map((name, index) => [name, own[index]?.pending ?? 0])),
      underWay: own.reduce((sum, one) => sum + (one?.ackPending ?? 0), 0),
    };
  }
}

interface LedgerEntry {
  seq: number;
  kind: "charge" | "refund" | "decline";
  reference: string;
}

async function rows(
  connection: Connection,
  statement: string,
  values: unknown[],
): Promise<Evidence["orders"]> {
  const [found] = await connection.query<RowDataPacket[]>(statement, values);
  return found.map(({ id, state }) => ({ orderId: String(id), state: String(state) }));
}

async function get<T>(url: URL, headers: Record<string, string>): Promise<T> {
  const answer = await request(url, { headers, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  if (answer.statusCode !== 200) {
    throw new Error(`${url.origin}${url.pathname} answered ${answer.statusCode}`);
  }
  return (await answer.body.json()) as T;
}
