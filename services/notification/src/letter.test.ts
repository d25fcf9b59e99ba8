import { expect, test } from "vitest";
import { letterFor, type MailKind, messageIdOf } from "./letter.ts";

const orderId = "019a2f2e-8a7f-7c4e-9d5a-6f0b3c1d2e4f";
const order = {
  orderId,
  totalCents: 1_234_550,
  lines: [
    { sku: "jacket-1", name: "Jacket", quantity: 2, priceCents: 4999 },
    { sku: "free-1", name: "Sticker", quantity: 1, priceCents: 0 },
  ],
};

function letter(kind: MailKind, more: Partial<Parameters<typeof letterFor>[1]> = {}) {
  return letterFor(kind, { orderId, name: "Riya", order, amountCents: 1_234_550, reason: null, ...more });
}

test("a paid order: its lines and its total in euros", () => {
  expect(letter("paid")).toEqual({
    subject: `Your order ${orderId} is paid`,
    text: [
      "Dear Riya,",
      "",
      `thank you: we have received €12,345.50 for your order ${orderId}.`,
      "",
      "2 × Jacket (jacket-1): €99.98",
      "1 × Sticker (free-1): €0.00",
      "Total: €12,345.50",
      "",
      "The polyglot shop",
      "",
    ].join("\n"),
  });
});

test("a mail about an order whose lines are not known does without", () => {
  const { text } = letter("paid", { order: undefined });
  expect(text).toContain("€12,345.50");
  expect(text).not.toContain("Total");
});

test.each<[MailKind, number | null, string]>([
  ["declined", 500, "the payment of €5.00"],
  ["refunded", 500, "have given back €5.00"],
  ["cancelled", 500, "and we have given back €5.00"],
  ["cancelled", null, "Nothing was charged."],
])("%s: what became of the money", (kind, amountCents, said) => {
  const { text } = letter(kind, { amountCents, reason: "mug-1 is sold out" });
  expect(text).toContain(said);
  expect(text).toContain("(mug-1 is sold out)");
});

test("an order's mails of different kinds are different mails", () => {
  expect(messageIdOf(orderId, "paid")).toBe(`<${orderId}.paid@notification.lab>`);
  expect(messageIdOf(orderId, "refunded")).not.toBe(messageIdOf(orderId, "paid"));
});
