import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { DataOf, ShopEvent } from "@lab/messaging";
import { type AppEnvironment, type Auth, reply, secured } from "@lab/service-kit";
import { type Client, types } from "cassandra-driver";
import { dayOf, daysIn, span } from "./days.ts";

const sale = z
  .object({
    day: z.string(),
    sku: z.string(),
    orders: z.number().int().openapi({ description: "How many orders were paid on that day." }),
    quantity: z.number().int(),
    revenueCents: z.number().int().openapi({ description: "Negative when more was given back than sold." }),
  })
  .openapi("Sale");

type Sale = z.infer<typeof sale>;

interface Line {
  sku: string;
  quantity: number;
  revenueCents: number;
}

/** What was sold, by product and day: the net of sales and refunds, each counted on the day on which the money moved. */
export class Sales {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Takes what an event says of sales. The same again, or late, changes nothing. */
  async record(event: ShopEvent): Promise<void> {
    switch (event.type) {
      case "order.placed.v1":
        return this.#keepLines(event.data);
      case "payment.captured.v1":
        if (event.data.lines) {
          await this.#keepLines({ ...event.data, lines: event.data.lines });
        }
        return this.#count("sale", event.data.orderId, event.time);
      case "payment.refunded.v1":
        return this.#count("refund", event.data.orderId, event.time);
    }
  }

  /** @param days the latest first */
  async report(days: string[], limit: number, sku?: string): Promise<Sale[]> {
    const sales: Sale[] = [];
    for (const day of days) {
      if (sales.length < limit) {
        const { rows } = await this.#client.execute(
          `SELECT sku, SUM(orders) AS orders, SUM(quantity) AS quantity, SUM(revenue_cents) AS revenue_cents
           FROM sales WHERE day = ? ${sku === undefined ? "" : "AND sku = ?"} GROUP BY day, sku LIMIT ?`,
          [types.LocalDate.fromString(day), ...(sku === undefined ? [] : [sku]), limit - sales.length],
        );
        sales.push(
          ...rows.map((row) => ({
            day,
            sku: row.sku as string,
            orders: Number(row.orders),
            quantity: Number(row.quantity),
            revenueCents: Number(row.revenue_cents),
          })),
        );
      }
    }
    return sales;
  }

  async #keepLines({ orderId, lines }: Pick<DataOf<"order.placed.v1">, "orderId" | "lines">): Promise<void> {
    for (const { sku, quantity, revenueCents } of sumOf(lines)) {
      await this.#client.execute(
        "INSERT INTO order_lines (order_id, sku, quantity, revenue_cents) VALUES (?, ?, ?, ?)",
        [orderId, sku, types.Long.fromNumber(quantity), types.Long.fromNumber(revenueCents)],
      );
    }
  }

  async #count(kind: "sale" | "refund", orderId: string, time: string): Promise<void> {
    const { rows } = await this.#client.execute(
      "SELECT sku, quantity, revenue_cents FROM order_lines WHERE order_id = ?",
      [orderId],
    );
    if (rows.length === 0) {
      throw new Error(`Order ${orderId} was never placed, as far as events say.`);
    }
    const signed = (value: types.Long) => (kind === "sale" ? value : value.negate());
    for (const { sku, quantity, revenue_cents } of rows) {
      await this.#client.execute(
        `INSERT INTO sales (day, sku, order_id, kind, orders, quantity, revenue_cents)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [
          types.LocalDate.fromString(dayOf(new Date(time))),
          sku,
          orderId,
          kind,
          types.Long.fromNumber(kind === "sale" ? 1 : 0),
          signed(quantity),
          signed(revenue_cents),
        ],
      );
    }
  }
}

/** The report, for administrators. */
export function salesRoutes(app: OpenAPIHono<AppEnvironment>, auth: Auth, sales: Sales): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "get",
      path: "/api/analytics/sales",
      summary: "Sales by day, the latest first, and product; for administrators",
      middleware: auth.admin,
      request: {
        query: span.extend({
          sku: z.string().min(1).max(40).optional(),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(200, "Sales", z.array(sale)),
    }),
    async (c) => {
      const { from, to, sku, limit } = c.req.valid("query");
      return c.json(await sales.report(daysIn({ from, to }), limit, sku), 200);
    },
  );
}

/** One line a product. */
function sumOf(lines: DataOf<"order.placed.v1">["lines"]): Line[] {
  const sums = new Map<string, Line>();
  for (const { sku, quantity, priceCents } of lines) {
    const sum = sums.get(sku) ?? { sku, quantity: 0, revenueCents: 0 };
    sum.quantity += quantity;
    sum.revenueCents += quantity * priceCents;
    sums.set(sku, sum);
  }
  return [...sums.values()];
}
