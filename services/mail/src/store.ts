import { DatabaseSync } from "node:sqlite";

/** A mail as it came in. */
export interface IncomingMail {
  messageId: string;
  from: string;
  /** Whom it was to be delivered to, which need not be whom it names. */
  recipients: string[];
  subject: string;
  text: string;
  sizeBytes: number;
}

/** A mail as it is kept, without its text. */
export interface MailSummary {
  seq: number;
  messageId: string;
  receivedAt: string;
  from: string;
  to: string[];
  subject: string;
  sizeBytes: number;
  /** How often a mail with this Message-ID came again. */
  doubles: number;
}

export interface Mail extends MailSummary {
  text: string;
}

interface Row {
  seq: number;
  message_id: string;
  received_at: string;
  sender: string;
  recipients: string;
  subject: string;
  text: string;
  size_bytes: number;
  doubles: number;
}

const schema = `
  -- FULL: a mail that was acknowledged is on the disk, in the log that the next start reads.
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  CREATE TABLE IF NOT EXISTS mails (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    received_at TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    doubles INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS recipients (
    address TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES mails (seq) ON DELETE CASCADE,
    PRIMARY KEY (address, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS recipients_seq ON recipients (seq);
`;

const summaryColumns = "seq, message_id, received_at, sender, recipients, subject, size_bytes, doubles";
const forRecipient = "(:to IS NULL OR seq IN (SELECT seq FROM recipients WHERE address = :to))";

const busyTimeoutMs = 5000;

/** The mails, one for each Message-ID, in one SQLite file. */
export class MailStore {
  readonly #db: DatabaseSync;

  /** @param file created when it isn't there */
  constructor(file: string) {
    this.#db = new DatabaseSync(file, { timeout: busyTimeoutMs });
    this.#db.exec(schema);
  }

  /**
   * Keeps a mail, or counts it as a double of the one that has its Message-ID. It is on the disk when this returns.
   *
   * @returns how many doubles the mail has had
   */
  save({ messageId, from, recipients, subject, text, sizeBytes }: IncomingMail): number {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const { seq, doubles } = this.#db
        .prepare(
          `INSERT INTO mails (message_id, received_at, sender, recipients, subject, text, size_bytes)
           VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (message_id) DO UPDATE SET doubles = doubles + 1
           RETURNING seq, doubles`,
        )
        .get(
          messageId,
          new Date().toISOString(),
          from,
          JSON.stringify(recipients),
          subject,
          text,
          sizeBytes,
        ) as { seq: number; doubles: number };
      const address = this.#db.prepare("INSERT OR IGNORE INTO recipients (address, seq) VALUES (?, ?)");
      for (const recipient of doubles === 0 ? recipients : []) {
        address.run(recipient.toLowerCase(), seq);
      }
      this.#db.exec("COMMIT");
      return doubles;
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** Mails after a number, the oldest first. */
  after(seq: number, limit: number, to?: string): MailSummary[] {
    return this.#list(`seq > :seq AND ${forRecipient} ORDER BY seq`, seq, limit, to);
  }

  /** Mails before a number, the newest first. */
  before(seq: number, limit: number, to?: string): MailSummary[] {
    return this.#list(`seq < :seq AND ${forRecipient} ORDER BY seq DESC`, seq, limit, to);
  }

  /** How many mails there are, and how many came as doubles of these. */
  count(to?: string): { total: number; doubles: number } {
    return this.#db
      .prepare(
        `SELECT COUNT(*) AS total, COALESCE(SUM(doubles), 0) AS doubles FROM mails WHERE ${forRecipient}`,
      )
      .get({ to: to?.toLowerCase() ?? null }) as { total: number; doubles: number };
  }

  find(seq: number): Mail | undefined {
    const row = this.#db.prepare("SELECT * FROM mails WHERE seq = ?").get(seq) as Row | undefined;
    return row && { ...summaryOf(row), text: row.text };
  }

  /** Numbers go on from where they were. */
  clear(): void {
    this.#db.exec("DELETE FROM mails");
  }

  /** @throws Error when the file can't be read */
  check(): void {
    this.#db.prepare("SELECT 1 FROM mails LIMIT 1").get();
  }

  /** Writes the log into the file and lets it go. */
  close(): void {
    this.#db.close();
  }

  #list(which: string, seq: number, limit: number, to: string | undefined): MailSummary[] {
    const rows = this.#db
      .prepare(`SELECT ${summaryColumns} FROM mails WHERE ${which} LIMIT :limit`)
      .all({ seq, limit, to: to?.toLowerCase() ?? null });
    return (rows as unknown as Row[]).map(summaryOf);
  }
}

function summaryOf(row: Row): MailSummary {
  return {
    seq: row.seq,
    messageId: row.message_id,
    receivedAt: row.received_at,
    from: row.sender,
    to: JSON.parse(row.recipients) as string[],
    subject: row.subject,
    sizeBytes: row.size_bytes,
    doubles: row.doubles,
  };
}
