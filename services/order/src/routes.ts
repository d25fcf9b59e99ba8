import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { addToOutbox, type OutboxRelay, transaction } from "@lab/mysql";
import {
  type AppEnvironment,
  type Auth,
  type Identity,
  jsonBody,
  Problem,
  reply,
  secured,
} from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { findOrder, moveOrder, ordersOf } from "./orders.ts";
import { tell } from "./outgoing.ts";
import type { Counter } from "./placing.ts";
import { byId, idempotencyHeader, type Order, order, orderRequest } from "./schema.ts";
import { IllegalMoveError } from "./states.ts";

export interface OrderRouteOptions {
  pool: Pool;
  auth: Auth;
  relay: Pick<OutboxRelay, "wake">;
  counter: Counter;
}

/** Orders, for those who have placed them. */
export function orderRoutes(app: OpenAPIHono<AppEnvironment>, options: OrderRouteOptions): void {
  const { pool, auth, relay, counter } = options;
  const own = { middleware: auth.user, ...secured };

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/orders",
      summary: "Place an order; the same Idempotency-Key again gets the same order and the same answer",
      ...own,
      request: { headers: idempotencyHeader, body: jsonBody(orderRequest) },
      responses: reply(201, "The order, which is accepted", order),
    }),
    async (c) => {
      const { order, isRepeat } = await counter.place(
        c.get("identity").userId,
        c.req.valid("header")["idempotency-key"],
        c.req.valid("json"),
      );
      c.header("location", `/api/orders/${order.orderId}`);
      if (isRepeat) {
        c.header("idempotency-replayed", "true");
      }
      return c.json(order, 201);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/orders",
      summary: "One's own orders, the newest first",
      ...own,
      request: {
        query: z.object({
          after: z.uuid().optional(),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(200, "A page of orders; the next begins after the last orderId", z.array(order)),
    }),
    async (c) => c.json(await ordersOf(pool, c.get("identity").userId, c.req.valid("query")), 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/orders/{id}",
      summary: "An order",
      ...own,
      request: { params: byId },
      responses: reply(200, "The order", order),
    }),
    async (c) => c.json(await ownOrder(pool, c.get("identity"), c.req.valid("param").id), 200),
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/api/orders/{id}/cancel",
      summary: "Cancel an order: what was paid is given back",
      ...own,
      request: { params: byId },
      responses: reply(202, "The order, which will be cancelled", order),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const { userId } = await ownOrder(pool, c.get("identity"), id);
      if (userId === null) {
        throw new Problem(409, "The customer of this order was erased; it stays as it is.");
      }
      await cancel(pool, id, userId);
      relay.wake();
      return c.json(await ownOrder(pool, c.get("identity"), id), 202);
    },
  );
}

/** @throws Problem 404, in the same words for another's order and for none, so that nobody learns which there are */
async function ownOrder(pool: Pool, { userId, role }: Identity, id: string): Promise<Order> {
  const found = await findOrder(pool, id);
  if (!found || (role !== "admin" && found.userId !== userId)) {
    throw new Problem(404, `You have no order ${id}.`);
  }
  return found;
}

async function cancel(pool: Pool, orderId: string, userId: number): Promise<void> {
  const reason = "The customer has cancelled.";
  try {
    await transaction(pool, async (connection) => {
      await moveOrder(connection, orderId, "cancel", reason);
      await addToOutbox(connection, [tell("order.cancelled.v1", { orderId, userId, reason })]);
    });
  } catch (error) {
    throw error instanceof IllegalMoveError ? new Problem(409, error.message, { state: error.state }) : error;
  }
}
