import { expect, test } from "vitest";
import { type Evidence, holds, tallyOf } from "./tally.ts";

const [a1, a2, b1] = [
  "0193a2f2-0000-7000-8000-0000000000a1",
  "0193a2f2-0000-7000-8000-0000000000a2",
  "0193a2f2-0000-7000-8000-0000000000b1",
] as const;

/** Two orders of customer 1 and one of customer 2, all well. */
function allWell(): Evidence {
  const ids = [a1, b1, a2];
  return {
    accepted: [
      { orderId: a1, userId: 1 },
      { orderId: b1, userId: 2 },
      { orderId: a2, userId: 1 },
    ],
    unanswered: 0,
    orders: ids.map((orderId) => ({ orderId, state: "confirmed" })),
    payments: ids.map((orderId) => ({ orderId, state: "captured" })),
    ledger: [b1, a1, a2].map((reference) => ({ kind: "charge", reference })),
    mails: [a1, a2, b1].map((id) => ({ subject: `Your order ${id} is paid`, doubles: 0 })),
  };
}

const good = { lost: [], chargedTwice: [], notifiedTwice: [], outOfOrder: [], unknown: [], unfinished: [] };

test("nothing wrong is nothing wrong, whatever others do meanwhile", () => {
  const evidence = allWell();
  const foreign = "0193a2f2-0000-7000-8000-0000000000ff";
  evidence.ledger.push({ kind: "charge", reference: foreign }, { kind: "charge", reference: foreign });
  evidence.mails.push(
    { subject: "Hello", doubles: 3 },
    { subject: `Your order ${foreign} is paid`, doubles: 0 },
  );
  const tally = tallyOf(evidence);
  expect(tally).toEqual({ accepted: 3, paid: 3, notified: 3, ...good, repeatedMails: 0 });
  expect(holds(tally, 3)).toBe(true);
});

test.each<[what: string, spoil: (evidence: Evidence) => void]>([
  ["row", (evidence) => evidence.orders.shift()],
  ["payment", (evidence) => evidence.payments.shift()],
  ["charge, although the payment says captured", (evidence) => evidence.ledger.splice(1, 1)],
  ["mail", (evidence) => evidence.mails.shift()],
])("an accepted order without its %s is lost", (_what, spoil) => {
  const evidence = allWell();
  spoil(evidence);
  const tally = tallyOf(evidence);
  expect(tally.lost).toEqual([a1]);
  expect(holds(tally, 3)).toBe(false);
});

test("a charge that the payment service does not know of is lost", () => {
  const evidence = allWell();
  evidence.payments[0] = { orderId: a1, state: "charging" };
  expect(tallyOf(evidence)).toMatchObject({ paid: 2, lost: [a1] });
});

test("a declined order is not lost, and not paid", () => {
  const evidence = allWell();
  evidence.payments[0] = { orderId: a1, state: "declined" };
  evidence.ledger[1] = { kind: "decline", reference: a1 };
  expect(tallyOf(evidence)).toMatchObject({ ...good, paid: 2, notified: 3 });
});

test("two captured charges of an order are a double charge, also of one that nobody was told of", () => {
  const evidence = allWell();
  evidence.ledger.push({ kind: "charge", reference: b1 });
  expect(tallyOf(evidence).chargedTwice).toEqual([b1]);
  evidence.accepted = evidence.accepted.filter(({ orderId }) => orderId !== b1);
  evidence.unanswered = 1;
  expect(tallyOf(evidence)).toMatchObject({ chargedTwice: [b1], unknown: [] });
});

test("a refund after a charge is no second charge, and changes no order", () => {
  const evidence = allWell();
  evidence.payments[0] = { orderId: a1, state: "refunded" };
  evidence.ledger.push({ kind: "refund", reference: a1 });
  evidence.mails.push({ subject: `We refund your order ${a1}`, doubles: 0 });
  expect(tallyOf(evidence)).toMatchObject({ ...good, paid: 3, notified: 3 });
});

test("two stored mails of one kind are one too many; one that came twice and is stored once is only counted", () => {
  const evidence = allWell();
  evidence.mails.push({ subject: `Your order ${a1} is paid`, doubles: 0 });
  (evidence.mails[1] as { doubles: number }).doubles = 2;
  expect(tallyOf(evidence)).toMatchObject({ notifiedTwice: [a1], repeatedMails: 2 });
});

test("an order that its customer's later one overtakes is out of order, in the ledger and in the mails", () => {
  const inLedger = allWell();
  inLedger.ledger = [a2, b1, a1].map((reference) => ({ kind: "charge", reference }));
  expect(tallyOf(inLedger).outOfOrder).toEqual([a1]);
  const inMails = allWell();
  inMails.mails.reverse();
  expect(tallyOf(inMails).outOfOrder).toEqual([a1]);
});

test("an order that nobody was told of is one too many, unless a client gave up on it", () => {
  const evidence = allWell();
  evidence.accepted.pop();
  expect(tallyOf(evidence).unknown).toEqual([a2]);
  expect(tallyOf({ ...evidence, unanswered: 1 }).unknown).toEqual([]);
});

test("an order that was paid and stays so is unfinished", () => {
  const evidence = allWell();
  evidence.orders[0] = { orderId: a1, state: "paid" };
  const tally = tallyOf(evidence);
  expect(tally).toMatchObject({ lost: [], unfinished: [a1] });
  expect(holds(tally, 3)).toBe(false);
});

test("orders of which not all were accepted do not pass, the less when none was", () => {
  const tally = tallyOf(allWell());
  expect(holds(tally, 3)).toBe(true);
  expect(holds(tally, 4)).toBe(false);
  const none = { accepted: [], unanswered: 0, orders: [], payments: [], ledger: [], mails: [] };
  expect(holds(tallyOf(none), 3)).toBe(false);
});
