import type { Connection, RowDataPacket } from "mysql2/promise";
import { request } from "undici";
import type { Outputs } from "../outputs.ts";
import { connectMysql } from "../query/mysql.ts";
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
  readonly #outputs: Outputs;

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  /** What the ledger and the mails end with now. */
  async marks(): Promise<Marks> {
    const [ledger, mails] = await Promise.all([this.#ledger(0), this.#mails(0)]);
    return { ledgerSeq: ledger.at(-1)?.seq ?? 0, mailSeq: mails.at(-1)?.seq ?? 0 };
  }

  /** What there is of some customers' orders. */
  async read(userIds: readonly number[], marks: Marks): Promise<Omit<Evidence, "accepted" | "unanswered">> {
    const [[orders, payments], ledger, mails] = await Promise.all([
      this.#withMysql(async (connection) => [
        await rows(connection, "SELECT id, state FROM `order`.orders WHERE user_id IN (?)", [userIds]),
        await rows(connection, "SELECT order_id AS id, state FROM payment.payments WHERE user_id IN (?)", [
          userIds,
        ]),
      ]),
      this.#ledger(marks.ledgerSeq),
      this.#mails(marks.mailSeq),
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

  #ledger(after: number): Promise<LedgerEntry[]> {
    const { urls, credentials } = this.#outputs;
    const headers = { authorization: `Bearer ${credentials.paymentProvider.apiKey}` };
    return allPages(after, async (seq) => {
      const url = new URL(`/v1/ledger?after=${seq}&limit=${pageSize}`, urls.paymentProvider);
      return (await get<{ entries: LedgerEntry[] }>(url, headers)).entries;
    });
  }

  #mails(after: number): Promise<KeptMail[]> {
    return allPages(after, async (seq) => {
      const url = new URL(`/api/mails?after=${seq}&limit=${pageSize}`, this.#outputs.urls.mail);
      return (await get<{ mails: KeptMail[] }>(url)).mails;
    });
  }

  /** As NATS itself counts them. */
  async #consumers(): Promise<Pick<Backlog, "pending" | "underWay">> {
    const url = new URL("/jsz?consumers=true", this.#outputs.urls.natsMonitor);
    const { account_details = [] } = await get<JetStreamReport>(url);
    const all = account_details
      .flatMap(({ stream_detail = [] }) => stream_detail)
      .flatMap(({ consumer_detail = [] }) => consumer_detail ?? [])
      .map((consumer) => ({ ...consumer, service: consumer.name.replace(/-\d+$/, "") }))
      .filter(({ service }) => consumers.some((name) => name === service));
    return {
      pending: Object.fromEntries(
        consumers.map((name) => [
          name,
          all
            .filter(({ service }) => service === name)
            .reduce((sum, { num_pending }) => sum + num_pending, 0),
        ]),
      ),
      underWay: all.reduce((sum, { num_ack_pending }) => sum + num_ack_pending, 0),
    };
  }
}

interface LedgerEntry {
  seq: number;
  kind: "charge" | "refund" | "decline";
  reference: string;
}

interface KeptMail {
  seq: number;
  subject: string;
  doubles: number;
}

/** https://docs.nats.io/running-a-nats-service/nats_admin/monitoring#jetstream-information-jsz */
interface JetStreamReport {
  account_details?: Array<{
    stream_detail?: Array<{
      consumer_detail?: Array<{ name: string; num_pending: number; num_ack_pending: number }> | null;
    }>;
  }>;
}

async function rows(
  connection: Connection,
  statement: string,
  values: unknown[],
): Promise<Evidence["orders"]> {
  const [found] = await connection.query<RowDataPacket[]>(statement, values);
  return found.map(({ id, state }) => ({ orderId: String(id), state: String(state) }));
}

/** Everything after a number, page by page. */
async function allPages<T extends { seq: number }>(
  after: number,
  page: (after: number) => Promise<T[]>,
): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    const items = await page(all.at(-1)?.seq ?? after);
    all.push(...items);
    if (items.length < pageSize) {
      return all;
    }
  }
}

async function get<T>(url: URL, headers: Record<string, string> = {}): Promise<T> {
  const answer = await request(url, { headers, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  if (answer.statusCode !== 200) {
    throw new Error(`${url.origin}${url.pathname} answered ${answer.statusCode}`);
  }
  return (await answer.body.json()) as T;
}
