/** What a mail is about. An order gets one mail of a kind at most. */
export type MailKind = "paid" | "declined" | "refunded" | "cancelled";

/** What the mails of an order tell of it. */
export interface OrderSummary {
  orderId: string;
  totalCents: number;
  lines: Array<{ sku: string; name: string; quantity: number; priceCents: number }>;
}

/** What a mail says. */
export interface Letter {
  subject: string;
  text: string;
}

/**
 * The Message-ID of the mail of a kind about an order (RFC 5322, section 3.6.4): made of these two only, so that whatever is
 * repeated, the mail is the same one.
 */
export function messageIdOf(orderId: string, kind: MailKind): string {
  return `<${orderId}.${kind}@notification.lab>`;
}

/**
 * Writes a mail.
 *
 * @param order undefined where the mail came before the order was known
 * @param amountCents what was taken or given back
 * @param reason why, in the words of the service that knows it
 */
export function letterFor(
  kind: MailKind,
  {
    orderId,
    name,
    order,
    amountCents,
    reason,
  }: {
    orderId: string;
    name: string;
    order: OrderSummary | undefined;
    amountCents: number | null;
    reason: string | null;
  },
): Letter {
  const { subject, body } = words(kind, orderId, amountCents === null ? null : euros(amountCents), reason);
  const list = order ? [...order.lines.map(lineOf), `Total: ${euros(order.totalCents)}`, ""] : [];
  return { subject, text: [`Dear ${name},`, "", body, "", ...list, "The polyglot shop", ""].join("\n") };
}

function words(
  kind: MailKind,
  orderId: string,
  amount: string | null,
  reason: string | null,
): { subject: string; body: string } {
  const because = reason ? ` (${reason})` : "";
  switch (kind) {
    case "paid":
      return {
        subject: `Your order ${orderId} is paid`,
        body: `thank you: we have received ${amount} for your order ${orderId}.`,
      };
    case "declined":
      return {
        subject: `Your order ${orderId} could not be paid`,
        body: `the payment of ${amount} for your order ${orderId} was declined${because}. Nothing was charged.`,
      };
    case "refunded":
      return {
        subject: `We refund your order ${orderId}`,
        body: `we can't deliver your order ${orderId}${because} and have given back ${amount}.`,
      };
    case "cancelled":
      return {
        subject: `Your order ${orderId} is cancelled`,
        body:
          amount === null
            ? `your order ${orderId} is cancelled${because}. Nothing was charged.`
            : `your order ${orderId} is cancelled${because}, and we have given back ${amount}.`,
      };
  }
}

function lineOf({ name, sku, quantity, priceCents }: OrderSummary["lines"][number]): string {
  return `${quantity} × ${name} (${sku}): ${euros(quantity * priceCents)}`;
}

/** Cents as people in Ireland, who pay in euros and write in English, expect an amount. */
function euros(cents: number): string {
  return new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" }).format(cents / 100);
}
