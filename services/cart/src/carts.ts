import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventOf, type Messaging } from "@lab/messaging";
import { type AppEnvironment, type Auth, done, jsonBody, Problem, reply, secured } from "@lab/service-kit";
import type { Context } from "hono";
import { CartFullError, type CartStore, maxItems, maxQuantity } from "./store.ts";

const anonymous = "anon-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

const byCart = z.object({
  cart: z
    .string()
    .regex(new RegExp(`^(me|${anonymous})$`))
    .openapi({
      example: "me",
      description:
        "`me` for one's own, or `anon-` and a random UUID that the caller has made: who knows it has the cart.",
    }),
});

const bySku = byCart.extend({
  sku: z
    .string()
    .regex(/^[A-Za-z0-9][\w-]{0,39}$/)
    .openapi({ example: "jacket-1" }),
});

const cart = z
  .object({
    owner: z.string(),
    items: z.array(z.object({ sku: z.string(), quantity: z.number().int() })),
    /** `null` for an empty cart. */
    expiresInSeconds: z.number().int().nullable(),
  })
  .openapi("Cart");

/** An own cart wants a token, an anonymous one none. */
const maybeSecured = { security: [...secured.security, {}] };

/** Carts: those of people who are logged in, and anonymous ones that they take along when they log in. */
export function cartRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { auth, store, messaging, name }: { auth: Auth; store: CartStore; messaging: Messaging; name: string },
): void {
  const shown = async (owner: string) => ({ owner, ...(await store.read(owner)) });

  app.openapi(
    createRoute({
      ...maybeSecured,
      method: "get",
      path: "/api/cart/{cart}",
      summary: "A cart; one that does not exist is empty",
      middleware: auth.optional,
      request: { params: byCart },
      responses: reply(200, "The cart", cart),
    }),
    async (c) => c.json(await shown(ownerOf(c, c.req.valid("param").cart)), 200),
  );

  app.openapi(
    createRoute({
      ...maybeSecured,
      method: "put",
      path: "/api/cart/{cart}/items/{sku}",
      summary: `Set how many of a product are in a cart, of at most ${maxItems} products; 0 takes it out`,
      middleware: auth.optional,
      request: {
        params: bySku,
        body: jsonBody(z.object({ quantity: z.number().int().min(0).max(maxQuantity) }).openapi("Quantity")),
      },
      responses: reply(200, "The cart as stored", cart),
    }),
    async (c) => {
      const { cart, sku } = c.req.valid("param");
      const owner = ownerOf(c, cart);
      await unlessFull(store.set(owner, { sku, ...c.req.valid("json") }));
      return c.json(await shown(owner), 200);
    },
  );

  app.openapi(
    createRoute({
      ...maybeSecured,
      method: "delete",
      path: "/api/cart/{cart}",
      summary: "Empty a cart",
      middleware: auth.optional,
      request: { params: byCart },
      responses: done("The cart is empty"),
    }),
    async (c) => {
      await store.empty(ownerOf(c, c.req.valid("param").cart));
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "post",
      path: "/api/cart/merge",
      summary: "Move everything from an anonymous cart into one's own, as after a log-in",
      middleware: auth.user,
      request: {
        body: jsonBody(z.object({ from: z.string().regex(new RegExp(`^${anonymous}$`)) }).openapi("Merge")),
      },
      responses: reply(200, "One's own cart", cart),
    }),
    async (c) => {
      const { userId } = c.get("identity");
      const owner = String(userId);
      const items = await unlessFull(store.merge(c.req.valid("json").from, owner));
      if (items > 0) {
        // For the statistics; nobody waits for it, and nobody misses one.
        const merged = eventOf("cart.merged.v1", { key: owner, source: name, data: { userId, items } });
        messaging
          .publish(merged)
          .catch((error) => c.get("log").debug({ err: error }, "a merge was not published"));
      }
      return c.json(await shown(owner), 200);
    },
  );
}

/** @throws Problem 401 when somebody unknown asks for their own */
function ownerOf(c: Context<AppEnvironment>, cart: string): string {
  if (cart !== "me") {
    return cart;
  }
  const identity = c.get("identity");
  if (!identity) {
    throw new Problem(401, "Log in to have a cart of your own, or use one under anon-<a random UUID>.");
  }
  return String(identity.userId);
}

async function unlessFull<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    throw error instanceof CartFullError
      ? new Problem(409, `A cart holds at most ${maxItems} different products. Take some out first.`)
      : error;
  }
}
