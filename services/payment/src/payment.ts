/**
 * Where a payment stands.
 *
 * `charging`: the provider may have been asked; `unknown`: it was asked, and its answer is lost; `refunding`: the charge is to be
 * given back. These three wait for the provider. `voided`: cancelled, and no money was taken.
 */
export type PaymentState =
  | "charging"
  | "unknown"
  | "captured"
  | "declined"
  | "voided"
  | "refunding"
  | "refunded";

/** A payment, without what only the database needs. */
export interface Payment {
  state: PaymentState;
  /** The provider's id of the charge. */
  chargeId: string | null;
  /** The provider's id of the refund. */
  refundId: string | null;
  /** Why it was declined. */
  declineReason: string | null;
  /** Why the order came to nothing after the payment had begun. */
  cancelReason: string | null;
}

/** What becomes known about a payment. */
export type Fact =
  /** The provider was asked to charge, and no usable answer came. */
  | { kind: "unanswered" }
  | { kind: "charged"; chargeId: string }
  | { kind: "declined"; reason: string }
  /** The order is cancelled, sold out, or given up. */
  | { kind: "cancelled"; reason: string }
  | { kind: "refunded"; refundId: string };

/** How a payment ended, to be announced. */
export type Outcome = "captured" | "declined" | "voided" | "refunded";

/** A fact that can't be true of this payment: two charges, or money given back that was never taken. */
export class ImpossibleFactError extends Error {
  override name = "ImpossibleFactError";
}

/** A payment that has not begun. */
export const begun: Payment = {
  state: "charging",
  chargeId: null,
  refundId: null,
  declineReason: null,
  cancelReason: null,
};

/** The payment of an order that was cancelled before a payment began: it keeps a late order from being charged. */
export function voidedPayment(reason: string): Payment {
  return { ...begun, state: "voided", cancelReason: shortened(reason) };
}

/** Whether the provider has to be asked before it is known how this ends. */
export function isUnsettled({ state }: Pick<Payment, "state">): boolean {
  return state === "charging" || state === "unknown" || state === "refunding";
}

/**
 * What a payment becomes by a fact. A fact that is known already changes nothing and announces nothing, so any of them may come
 * twice. A charge that is under way is never called off: nobody can tell whether the provider will still make it. It is
 * found out, and then given back.
 *
 * @throws ImpossibleFactError
 */
export function learn(payment: Payment, fact: Fact): { payment: Payment; outcome?: Outcome } {
  switch (fact.kind) {
    case "unanswered":
      return { payment: payment.state === "charging" ? { ...payment, state: "unknown" } : payment };
    case "charged":
      return charged(payment, fact.chargeId);
    case "declined":
      return declined(payment, shortened(fact.reason));
    case "cancelled":
      return cancelled(payment, shortened(fact.reason));
    case "refunded":
      return refunded(payment, fact.refundId);
  }
}

function charged(payment: Payment, chargeId: string): ReturnType<typeof learn> {
  if (payment.chargeId !== null) {
    if (payment.chargeId !== chargeId) {
      throw new ImpossibleFactError(`The order was charged twice: ${payment.chargeId} and ${chargeId}.`);
    }
    return { payment };
  }
  if (payment.state === "declined" || payment.state === "voided") {
    // Too late: everyone has been told that no money was taken.
    const cancelReason = payment.cancelReason ?? "charged after the payment was over";
    return { payment: { ...payment, state: "refunding", chargeId, cancelReason } };
  }
  return payment.cancelReason === null
    ? { payment: { ...payment, state: "captured", chargeId }, outcome: "captured" }
    : { payment: { ...payment, state: "refunding", chargeId } };
}

function declined(payment: Payment, reason: string): ReturnType<typeof learn> {
  if (payment.chargeId !== null) {
    throw new ImpossibleFactError(`The charge ${payment.chargeId} can't have been declined.`);
  }
  if (payment.state === "declined" || payment.state === "voided") {
    return { payment };
  }
  return payment.cancelReason === null
    ? { payment: { ...payment, state: "declined", declineReason: reason }, outcome: "declined" }
    : { payment: { ...payment, state: "voided", declineReason: reason }, outcome: "voided" };
}

function cancelled(payment: Payment, reason: string): ReturnType<typeof learn> {
  const known = { ...payment, cancelReason: payment.cancelReason ?? reason };
  switch (payment.state) {
    case "captured":
      return { payment: { ...known, state: "refunding" } };
    case "declined":
      // The order was cancelled while the provider declined, and waits to hear that no money was taken.
      return { payment: { ...known, state: "voided" }, outcome: "voided" };
    case "charging":
    case "unknown":
      return { payment: known };
    case "refunding":
    case "refunded":
    case "voided":
      return { payment };
  }
}

function refunded(payment: Payment, refundId: string): ReturnType<typeof learn> {
  if (payment.state === "refunded" && payment.refundId === refundId) {
    return { payment };
  }
  if (payment.state !== "refunding") {
    throw new ImpossibleFactError(`A payment that is ${payment.state} can't have been refunded.`);
  }
  return { payment: { ...payment, state: "refunded", refundId }, outcome: "refunded" };
}

/** Reasons come from elsewhere; the events that tell them, and the columns, have an end. */
function shortened(reason: string): string {
  return reason.slice(0, 500);
}
