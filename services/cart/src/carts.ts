import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, reply } from "@lab/service-kit";
import type { Redis } from "ioredis";

const key = z.string().regex(/^[A-Za-z0-9][\w-]{0,63}$/);
const byOwner = z.object({ owner: key.openapi({ example: "101" }) });
const bySku = byOwner.extend({ sku: key.openapi({ example: "jacket-1" }) });

const cart = z
  .object({
    owner: z.string(),
    items: z.array(z.object({ sku: z.string(), quantity: z.number().int() })),
    /** `null` for an empty cart, which is no key at all. */
    expiresInSeconds: z.number().int().nullable(),
  })
  .openapi("Cart");

type Cart = z.infer<typeof cart>;

/** Carts: one hash a person, found by its key alone, gone when nobody has touched it for a while. */
export function cartRoutes(app: OpenAPIHono<AppEnvironment>, redis: Redis, ttlSeconds: number): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/cart/{owner}",
      summary: "A cart; one that does not exist is empty",
      request: { params: byOwner },
      responses: reply(200, "The cart", cart),
    }),
    async (c) => c.json(await read(redis, c.req.valid("param").owner), 200),
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/cart/{owner}/items/{sku}",
      summary: "Set how many of a product are in a cart; 0 takes it out",
      request: {
        params: bySku,
        body: jsonBody(z.object({ quantity: z.number().int().min(0).max(1000) }).openapi("Quantity")),
      },
      responses: reply(200, "The cart as stored", cart),
    }),
    async (c) => {
      const { owner, sku } = c.req.valid("param");
      const { quantity } = c.req.valid("json");
      // In one transaction: a cart without an expiry must not be left behind.
      const transaction = redis.multi();
      if (quantity === 0) {
        transaction.hdel(keyOf(owner), sku);
      } else {
        transaction.hset(keyOf(owner), sku, quantity);
      }
      await transaction.expire(keyOf(owner), ttlSeconds).exec();
      return c.json(await read(redis, owner), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/cart/{owner}",
      summary: "Empty a cart",
      request: { params: byOwner },
      responses: { 204: { description: "The cart is empty" } },
    }),
    async (c) => {
      await redis.del(keyOf(c.req.valid("param").owner));
      return c.body(null, 204);
    },
  );
}

function keyOf(owner: string): string {
  return `cart:${owner}`;
}

async function read(redis: Redis, owner: string): Promise<Cart> {
  const [items, ttl] = await Promise.all([redis.hgetall(keyOf(owner)), redis.ttl(keyOf(owner))]);
  return {
    owner,
    items: Object.entries(items)
      .map(([sku, quantity]) => ({ sku, quantity: Number(quantity) }))
      .sort((one, other) => (one.sku < other.sku ? -1 : 1)),
    expiresInSeconds: ttl >= 0 ? ttl : null,
  };
}
