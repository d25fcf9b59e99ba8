/** The states of an order, each with those that may follow it. */
export const moves = {
  placed: ["paid", "declined", "refunded", "cancelling"],
  paid: ["confirmed", "refunding", "cancelling"],
  confirmed: ["cancelling"],
  refunding: ["refunded"],
  cancelling: ["cancelled"],
  declined: [],
  refunded: [],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>;

export type OrderState = keyof typeof moves;

export const states = Object.keys(moves) as [OrderState, ...OrderState[]];

/** What can happen to an order: its customer cancels it, or payment and product have done something. */
export const triggers = [
  "cancel",
  "captured",
  "declined",
  "voided",
  "refunded",
  "reserved",
  "rejected",
] as const;

export type Trigger = (typeof triggers)[number];

/** Something that can't happen to an order as it is. */
export class IllegalMoveError extends Error {
  override name = "IllegalMoveError";
  readonly state: OrderState;

  constructor(state: OrderState, trigger: Trigger) {
    super(`An order that is ${state} can't be ${words[trigger]}.`);
    this.state = state;
  }
}

const words: Record<Trigger, string> = {
  cancel: "cancelled",
  captured: "paid",
  declined: "declined",
  voided: "voided",
  refunded: "refunded",
  reserved: "reserved",
  rejected: "rejected as sold out",
};

/**
 * What each trigger does, by the state that it finds. A state that is not named refuses it; one that names itself stays:
 * it has seen the like, or it goes another way already. An order that is being cancelled waits for the money to be back, so
 * what was still under way passes it by; services are independent, so that may come even after the cancellation is done.
 */
const reactions: Record<Trigger, Partial<Record<OrderState, OrderState>>> = {
  cancel: { placed: "cancelling", paid: "cancelling", confirmed: "cancelling" },
  captured: {
    placed: "paid",
    ...stay("paid", "confirmed", "refunding", "refunded", "cancelling", "cancelled"),
  },
  // Nothing was charged, so that nothing has to be given back.
  declined: { placed: "declined", cancelling: "cancelled", ...stay("declined", "cancelled") },
  // Of an order that is placed still, payment has given up: nobody was there any more to wait for it.
  voided: { placed: "declined", cancelling: "cancelled", ...stay("cancelled", "declined") },
  refunded: {
    placed: "refunded",
    refunding: "refunded",
    cancelling: "cancelled",
    ...stay("refunded", "cancelled", "declined"),
  },
  reserved: { paid: "confirmed", ...stay("confirmed", "cancelling", "cancelled", "declined") },
  rejected: { paid: "refunding", ...stay("refunding", "refunded", "cancelling", "cancelled", "declined") },
};

/**
 * The state of an order after something has happened to it; the same state when that changes nothing.
 *
 * @throws IllegalMoveError when it can't happen to an order in this state
 */
export function after(state: OrderState, trigger: Trigger): OrderState {
  const next = reactions[trigger][state];
  if (next === undefined) {
    throw new IllegalMoveError(state, trigger);
  }
  return next;
}

function stay(...states: OrderState[]): Partial<Record<OrderState, OrderState>> {
  return Object.fromEntries(states.map((state) => [state, state]));
}
