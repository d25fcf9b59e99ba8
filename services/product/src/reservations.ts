import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { stableId } from "@lab/messaging";
import { type AppEnvironment, type Auth, done, jsonBody, Problem, reply, secured } from "@lab/service-kit";
import { bySku, type Catalog } from "./catalog.ts";
import type { Stock } from "./stock.ts";

const reference = z
  .string()
  .regex(/^[A-Za-z0-9][\w-]{0,63}$/)
  .openapi({ example: "gift-1", description: "The caller's own name for the reservation." });

const reservationInput = z
  .object({ quantity: z.number().int().min(1).max(1000), reference })
  .openapi("ReservationInput");

const reservation = reservationInput.extend({ sku: z.string() }).openapi("Reservation");

/** Reservations that people make themselves. Those of orders are made by `orders.ts`, and out of reach here. */
export function reservationRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { auth, catalog, stock }: { auth: Auth; catalog: Catalog; stock: Stock },
): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "post",
      path: "/api/products/{sku}/reservations",
      summary: "Reserve units, all or none; the same reference again is the same reservation",
      middleware: auth.user,
      request: { params: bySku, body: jsonBody(reservationInput) },
      responses: reply(201, "The reservation; 409 when there are not as many units", reservation),
    }),
    async (c) => {
      const { sku } = c.req.valid("param");
      const { quantity, reference } = c.req.valid("json");
      const key = keyOf(c.get("identity").userId, sku, reference);
      await catalog.get(sku);
      const made = await stock.reserve({ key, sku, quantity, isForPerson: true });
      if (made.state !== "reserved") {
        throw new Problem(409, refusals[made.state](sku, reference), { reason: made.state });
      }
      return c.json({ sku, reference, quantity: made.quantity }, 201);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "delete",
      path: "/api/products/{sku}/reservations/{reference}",
      summary: "Give the units of an own reservation back",
      middleware: auth.user,
      request: { params: bySku.extend({ reference }) },
      responses: done("The units are free"),
    }),
    async (c) => {
      const { sku, reference } = c.req.valid("param");
      const key = keyOf(c.get("identity").userId, sku, reference);
      if (!(await stock.knows(key))) {
        throw new Problem(404, `You have no reservation ${reference} of ${sku}.`);
      }
      await stock.release({ key, sku });
      return c.body(null, 204);
    },
  );
}

const refusals = {
  "sold out": (sku: string, reference: string) =>
    `There are not as many of ${sku} left. This stays the answer to ${reference}: try again with another reference.`,
  released: (sku: string, reference: string) =>
    `The reservation ${reference} of ${sku} was given back. Make one with another reference.`,
};

/** Nobody can name another's reservation, and it doesn't say whose it is. */
function keyOf(userId: number, sku: string, reference: string): string {
  return stableId("person", String(userId), sku, reference);
}
