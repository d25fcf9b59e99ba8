import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, reply, secured } from "@lab/service-kit";
import type { Pool, RowDataPacket } from "mysql2/promise";

const limit = z.object({ limit: z.coerce.number().int().min(1).max(500).default(100) });

const customer = z
  .object({ userId: z.int(), orders: z.int(), units: z.int(), totalCents: z.int() })
  .openapi("CustomerReport");

const product = z
  .object({
    sku: z.string(),
    name: z.string().openapi({ description: "as in the newest order" }),
    orders: z.int(),
    units: z.int(),
    totalCents: z.int(),
  })
  .openapi("ProductReport");

/** An order counts once it is paid, unless the money went back. */
const sold = "o.state IN ('paid', 'confirmed')";

/** What only joins can tell: orders with their lines, grouped either way. For the administrator. */
export function reportRoutes(app: OpenAPIHono<AppEnvironment>, pool: Pool, auth: Auth): void {
  const report = { method: "get", middleware: auth.admin, ...secured } as const;

  app.openapi(
    createRoute({
      ...report,
      path: "/api/orders/reports/customers",
      summary: "What each customer has bought",
      request: { query: limit },
      responses: reply(200, "Who has spent most comes first", z.array(customer)),
    }),
    async (c) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        `SELECT o.user_id, COUNT(DISTINCT o.id) AS orders, SUM(l.quantity) AS units,
           SUM(l.quantity * l.price_cents) AS cents
         FROM orders o JOIN order_lines l ON l.order_id = o.id
         WHERE ${sold} AND o.user_id IS NOT NULL
         GROUP BY o.user_id ORDER BY cents DESC, o.user_id LIMIT ?`,
        [c.req.valid("query").limit],
      );
      return c.json(
        rows.map(({ user_id, orders, units, cents }) => ({
          userId: user_id,
          orders: Number(orders),
          units: Number(units),
          totalCents: Number(cents),
        })),
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      ...report,
      path: "/api/orders/reports/products",
      summary: "How often each product was bought",
      request: { query: limit },
      responses: reply(200, "What has brought in most comes first", z.array(product)),
    }),
    async (c) => {
      // Ids of orders begin with the time: the greatest is the newest, and its name follows after 36 characters.
      const [rows] = await pool.query<RowDataPacket[]>(
        `SELECT l.sku, SUBSTRING(MAX(CONCAT(o.id, l.name)), 37) AS name, COUNT(*) AS orders,
           SUM(l.quantity) AS units, SUM(l.quantity * l.price_cents) AS cents
         FROM orders o JOIN order_lines l ON l.order_id = o.id
         WHERE ${sold}
         GROUP BY l.sku ORDER BY cents DESC, l.sku LIMIT ?`,
        [c.req.valid("query").limit],
      );
      return c.json(
        rows.map(({ sku, name, orders, units, cents }) => ({
          sku,
          name,
          orders: Number(orders),
          units: Number(units),
          totalCents: Number(cents),
        })),
        200,
      );
    },
  );
}
