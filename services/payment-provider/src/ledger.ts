import { randomUUID } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";

export interface ChargeRequest {
  /** What the caller knows the charge by, such as an order's id; several charges may have the same. */
  reference: string;
  amountCents: number;
  customer: string;
}

export interface Charge {
  id: string;
  reference: string;
  amountCents: number;
  status: "captured" | "declined";
  /** Why it was declined. */
  reason?: string;
}

export interface Refund {
  id: string;
  chargeId: string;
  reference: string;
  amountCents: number;
}

/** A line of the ledger. Lines are added and never changed. */
export interface Entry {
  seq: number;
  at: string;
  kind: "charge" | "refund" | "decline";
  chargeId: string;
  reference: string;
  amountCents: number;
  idempotencyKey: string | null;
}

/** The key was used before, for another request. */
export class KeyReusedError extends Error {
  override name = "KeyReusedError";
}

/** A refund that can't be had; the message says why. */
export class RefundRefusedError extends Error {
  override name = "RefundRefusedError";
}

interface Row {
  seq: number;
  at: string;
  kind: Entry["kind"];
  id: string;
  charge_id: string;
  reference: string;
  amount_cents: number;
  reason: string | null;
  idempotency_key: string | null;
  request: string;
}

const schema = `
  -- FULL: a line that was answered for is on the disk, in the log that the next start reads.
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'decline')),
    id TEXT NOT NULL UNIQUE,
    charge_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    reason TEXT,
    idempotency_key TEXT UNIQUE,
    request TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS ledger_reference ON ledger (reference);
  CREATE INDEX IF NOT EXISTS ledger_charge ON ledger (charge_id);
`;

const busyTimeoutMs = 5000;

/** The provider's ledger: one table that is only added to, in one SQLite file. */
export class Ledger {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #insertRefund: StatementSync;

  /** @param file created when it isn't there */
  constructor(file: string) {
    this.#db = new DatabaseSync(file, { timeout: busyTimeoutMs });
    this.#db.exec(schema);
    const columns = "at, kind, id, charge_id, reference, amount_cents, reason, idempotency_key, request";
    this.#insert = this.#db.prepare(
      `INSERT INTO ledger (${columns})
       VALUES (:at, :kind, :id, :charge_id, :reference, :amount_cents, :reason, :idempotency_key, :request)`,
    );
    // One statement, so that nothing comes between the sum and the line that depends on it.
    this.#insertRefund = this.#db.prepare(
      `INSERT INTO ledger (${columns})
       SELECT :at, 'refund', :id, charge_id, reference, :amount_cents, NULL, :idempotency_key, :request
       FROM ledger WHERE charge_id = :charge_id
       GROUP BY charge_id
       HAVING SUM(CASE kind WHEN 'charge' THEN amount_cents WHEN 'refund' THEN -amount_cents ELSE 0 END)
         >= :amount_cents`,
    );
  }

  /**
   * Charges, or declines to, and writes it down.
   *
   * @param key the caller's idempotency key: a repeat gives the charge that there is. Without one, each call charges again.
   * @param decline why the charge is declined; `undefined` captures it
   * @throws KeyReusedError when the key was used for something else
   */
  charge(request: ChargeRequest, key: string | undefined, decline: string | undefined): Charge {
    const { reference, amountCents, customer } = request;
    const text = JSON.stringify(["charge", reference, amountCents, customer]);
    return chargeOf(
      this.#once(key, text, () => {
        const id = `ch_${randomUUID()}`;
        this.#insert.run({
          at: new Date().toISOString(),
          kind: decline === undefined ? "charge" : "decline",
          id,
          charge_id: id,
          reference,
          amount_cents: amountCents,
          reason: decline ?? null,
          idempotency_key: key ?? null,
          request: text,
        });
        return id;
      }),
    );
  }

  /**
   * Gives a part of a charge back, or all of it.
   *
   * @param key as with {@link charge}
   * @returns `undefined` when there is no such charge
   * @throws RefundRefusedError when less is left of the charge than that
   * @throws KeyReusedError when the key was used for something else
   */
  refund(chargeId: string, amountCents: number, key: string | undefined): Refund | undefined {
    const charge = this.#row("id", chargeId);
    if (charge?.id !== charge?.charge_id || charge === undefined) {
      return undefined;
    }
    const text = JSON.stringify(["refund", chargeId, amountCents]);
    const row = this.#once(key, text, () => {
      const id = `re_${randomUUID()}`;
      const { changes } = this.#insertRefund.run({
        at: new Date().toISOString(),
        id,
        charge_id: chargeId,
        amount_cents: amountCents,
        idempotency_key: key ?? null,
        request: text,
      });
      if (changes === 0) {
        throw new RefundRefusedError(
          charge.kind === "decline"
            ? `The charge ${chargeId} was declined: there is nothing to give back.`
            : `${amountCents} cents are more than is left of the charge ${chargeId}.`,
        );
      }
      return id;
    });
    return { id: row.id, chargeId, reference: row.reference, amountCents: row.amount_cents };
  }

  /** The first charges of a reference, the oldest first, each with what was given back of it. */
  chargesOf(reference: string, limit: number): Array<Charge & { refundedCents: number }> {
    const rows = this.#db
      .prepare(
        `SELECT charge.*, (
           SELECT COALESCE(SUM(amount_cents), 0) FROM ledger WHERE charge_id = charge.id AND kind = 'refund'
         ) AS refunded_cents
         FROM ledger AS charge WHERE reference = ? AND kind <> 'refund' ORDER BY seq LIMIT ?`,
      )
      .all(reference, limit) as unknown as Array<Row & { refunded_cents: number }>;
    return rows.map((row) => ({ ...chargeOf(row), refundedCents: row.refunded_cents }));
  }

  /** The lines after a number, in the order in which they were written. */
  entries(after: number, limit: number): Entry[] {
    const rows = this.#db
      .prepare("SELECT * FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?")
      .all(after, limit) as unknown as Row[];
    return rows.map(({ seq, at, kind, charge_id, reference, amount_cents, idempotency_key }) => ({
      seq,
      at,
      kind,
      chargeId: charge_id,
      reference,
      amountCents: amount_cents,
      idempotencyKey: idempotency_key,
    }));
  }

  /** @throws Error when the file can't be read */
  check(): void {
    this.#db.prepare("SELECT 1 FROM ledger LIMIT 1").get();
  }

  /** Writes the log into the file and lets it go. */
  close(): void {
    this.#db.close();
  }

  /** The line that `write` adds, or the one that the key has added before. */
  #once(key: string | undefined, request: string, write: () => string): Row {
    const before = key === undefined ? undefined : this.#row("idempotency_key", key);
    if (before && before.request !== request) {
      throw new KeyReusedError("This Idempotency-Key was used for another request.");
    }
    return before ?? (this.#row("id", write()) as Row);
  }

  #row(column: "id" | "idempotency_key", value: string): Row | undefined {
    return this.#db.prepare(`SELECT * FROM ledger WHERE ${column} = ?`).get(value) as Row | undefined;
  }
}

function chargeOf({ id, kind, reference, amount_cents, reason }: Row): Charge {
  return {
    id,
    reference,
    amountCents: amount_cents,
    status: kind === "charge" ? "captured" : "declined",
    ...(reason === null ? {} : { reason }),
  };
}
