import { expect, test } from "vitest";
import { underWayAt } from "./under-way.ts";

const [one, other] = ["0193a2f2-0000-7000-8000-0000000000a1", "0193a2f2-0000-7000-8000-0000000000a2"];

const orders = [
  { orderId: one, userId: 1, sentAtMs: 1000 },
  { orderId: other, userId: 1, sentAtMs: 2000 },
];

function mail(orderId: string, subject: string, atMs: number) {
  return { subject: `${subject} ${orderId}`, receivedAt: new Date(atMs).toISOString() };
}

test("an order is on its way from when it is sent until its last mail has come", () => {
  const mails = [mail(one, "Placed", 1500), mail(one, "Paid", 3000)];
  expect(underWayAt(999, orders, mails)).toBe(0);
  expect(underWayAt(1600, orders, mails)).toBe(1);
  expect(underWayAt(2000, orders, mails)).toBe(2);
  expect(underWayAt(3000, orders, mails)).toBe(1);
});

test("one whose mail never came is on its way for good", () => {
  expect(underWayAt(9000, orders, [])).toBe(2);
});
