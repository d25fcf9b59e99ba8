/** An order as the client saw it that placed it. */
export interface AcceptedOrder {
  orderId: string;
  userId: number;
}

/** What was found after a run, where nobody of the shop could mend it. */
export interface Evidence {
  /** What clients were told, each customer's orders in the order in which they were placed. */
  accepted: AcceptedOrder[];
  /** How many orders clients gave up on without knowing what became of them. */
  unanswered: number;
  /** The rows of the order service's table that belong to the run's customers. */
  orders: Array<{ orderId: string; state: string }>;
  /** Likewise of the payment service's. */
  payments: Array<{ orderId: string; state: string }>;
  /** The provider's ledger, in the order in which it was written. */
  ledger: Array<{ kind: "charge" | "refund" | "decline"; reference: string }>;
  /** What the mail sink has, in the order in which it came. */
  mails: Array<{ subject: string; doubles: number }>;
}

/** What became of the orders; of each of the faults, the orders that have it. */
export interface Tally {
  accepted: number;
  /** Accepted orders whose payment is captured, by the payment's row and by the provider's ledger. */
  paid: number;
  /** Accepted orders with a mail in the sink. */
  notified: number;
  /** Accepted orders without their row, without a payment that the provider knows too, or without a mail. */
  lost: string[];
  /** Orders with more than one captured charge. */
  chargedTwice: string[];
  /** Orders with two mails of one kind in the sink. */
  notifiedTwice: string[];
  /** Orders that were charged or written about after a later order of the same customer. */
  outOfOrder: string[];
  /** Orders in the store that no client knows of, beyond those whose clients gave up. */
  unknown: string[];
  /** Accepted orders that are still on their way: something waits that nothing wakes. */
  unfinished: string[];
  /** How often a mail that the sink had came again: delivered twice, and known by its Message-ID. */
  repeatedMails: number;
}

/** The faults that make a run fail. */
export const faults = [
  "lost",
  "chargedTwice",
  "notifiedTwice",
  "outOfOrder",
  "unknown",
  "unfinished",
] as const;

/** States that an order does not leave by itself. */
const finalStates: ReadonlySet<string> = new Set(["confirmed", "declined", "refunded", "cancelled"]);

/** States of a payment that is or was captured, and the states of one that the provider has declined. */
const capturedStates: ReadonlySet<string> = new Set(["captured", "refunding", "refunded"]);
const declinedState = "declined";

/** The mails about an order name it in their subject; the rest of the subject is the kind. */
const orderIdPattern = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** Counts, from what the stores, the provider's ledger and the mail sink have. */
export function tallyOf(evidence: Evidence): Tally {
  const { accepted, unanswered } = evidence;
  const own = new Set(accepted.map((order) => order.orderId));
  const rows = new Set(evidence.orders.map((order) => order.orderId));
  const payments = new Map(evidence.payments.map(({ orderId, state }) => [orderId, state]));
  const charges = countsOf(evidence.ledger.filter(({ kind }) => kind === "charge").map(referenceOf));
  const declines = new Set(evidence.ledger.filter(({ kind }) => kind === "decline").map(referenceOf));
  const mails = evidence.mails
    .map((mail) => ({ ...mail, orderId: orderIn(mail) ?? "" }))
    .filter((mail) => rows.has(mail.orderId) || own.has(mail.orderId));
  const written = new Set(mails.map((mail) => mail.orderId));

  const isPaid = (id: string) => charges.has(id) && capturedStates.has(payments.get(id) ?? "");
  const isDeclined = (id: string) => declines.has(id) && payments.get(id) === declinedState;
  const unknown = [...rows].filter((id) => !own.has(id));
  return {
    accepted: accepted.length,
    paid: [...own].filter(isPaid).length,
    notified: [...own].filter((id) => written.has(id)).length,
    lost: [...own].filter((id) => !rows.has(id) || !(isPaid(id) || isDeclined(id)) || !written.has(id)),
    chargedTwice: repeated(charges).filter((id) => rows.has(id) || own.has(id)),
    notifiedTwice: repeated(countsOf(mails.map(({ subject }) => subject))).map(
      (subject) => orderIn({ subject }) as string,
    ),
    outOfOrder: [
      ...new Set([
        ...overtaken(accepted, evidence.ledger.filter(({ kind }) => kind !== "refund").map(referenceOf)),
        ...overtaken(
          accepted,
          mails.map((mail) => mail.orderId),
        ),
      ]),
    ],
    // One that a client gave up on may be there or not.
    unknown: unknown.slice(unanswered),
    unfinished: evidence.orders
      .filter(({ orderId, state }) => own.has(orderId) && !finalStates.has(state))
      .map((order) => order.orderId),
    repeatedMails: mails.reduce((sum, { doubles }) => sum + doubles, 0),
  };
}

/**
 * Whether all orders were accepted and nothing went wrong with them: where none was accepted, nothing can be lost, and that
 * says nothing.
 *
 * @param orders how many were posted
 */
export function holds(tally: Tally, orders: number): boolean {
  return tally.accepted === orders && faults.every((fault) => tally[fault].length === 0);
}

/** The order that a mail is about, if it is about one. */
export function orderIn({ subject }: { subject: string }): string | undefined {
  return subject.match(orderIdPattern)?.[0];
}

/** The orders that come in a sequence after a later one of the same customer. Only an order's first place in it counts. */
function overtaken(accepted: readonly AcceptedOrder[], sequence: readonly string[]): string[] {
  const placeOf = new Map(accepted.map(({ orderId, userId }, place) => [orderId, { userId, place }]));
  const latest = new Map<number, number>();
  return [...new Set(sequence)].filter((id) => {
    const order = placeOf.get(id);
    if (!order) {
      return false;
    }
    const before = latest.get(order.userId) ?? -1;
    latest.set(order.userId, Math.max(before, order.place));
    return order.place < before;
  });
}

function referenceOf({ reference }: { reference: string }): string {
  return reference;
}

function countsOf(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) {
    counts.set(item, (counts.get(item) ?? 0) + 1);
  }
  return counts;
}

function repeated(counts: Map<string, number>): string[] {
  return [...counts].filter(([, count]) => count > 1).map(([item]) => item);
}
