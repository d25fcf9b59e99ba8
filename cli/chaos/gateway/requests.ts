import { randomUUID } from "node:crypto";
import type { Dispatcher } from "undici";
import type { ShopRequest } from "../../shop-client.ts";

/** A request that somebody makes again and again. */
export interface Kind {
  /** The service that answers it. */
  service: string;
  method: Dispatcher.HttpMethod;
  path: string;
  options?: () => ShopRequest;
  /** Whether it may be carried out twice: by its method, or for its `Idempotency-Key`. */
  isRepeatable: boolean;
  /** How often it is made, beside the others. */
  weight: number;
}

type Lines = ReadonlyArray<{ sku: string; quantity: number }>;

const get = (service: string, path: string, weight: number): Kind => ({
  service,
  method: "GET",
  path,
  isRepeatable: true,
  weight,
});

const catalogue = (sku: string) => [
  get("product", "/api/products?limit=5", 4),
  get("product", `/api/products/${sku}`, 6),
];

const fill = (cart: string, sku: string, weight: number): Kind => ({
  service: "cart",
  method: "PUT",
  path: `/api/cart/${cart}/items/${sku}`,
  options: () => ({ body: { quantity: 2 } }),
  isRepeatable: true,
  weight,
});

/** What somebody does who has logged in. */
export function customerRequests(lines: Lines): Kind[] {
  const sku = lines[0]?.sku ?? "";
  return [
    ...catalogue(sku),
    get("cart", "/api/cart/me", 4),
    fill("me", sku, 3),
    // Without a key, so nobody may carry it out again: what a killed instance does not answer, stays unanswered.
    {
      service: "cart",
      method: "POST",
      path: "/api/cart/merge",
      options: () => ({ body: { from: `anon-${randomUUID()}` } }),
      isRepeatable: false,
      weight: 2,
    },
    get("order", "/api/orders?limit=5", 4),
    {
      service: "order",
      method: "POST",
      path: "/api/orders",
      options: () => ({ body: { lines }, headers: { "idempotency-key": randomUUID() } }),
      isRepeatable: true,
      weight: 1,
    },
    get("user", "/api/users/me", 4),
  ];
}

/** What somebody does who only looks around, with a cart that is nobody's. */
export function visitorRequests(lines: Lines): Kind[] {
  const sku = lines[0]?.sku ?? "";
  const cart = `anon-${randomUUID()}`;
  return [...catalogue(sku), get("cart", `/api/cart/${cart}`, 3), fill(cart, sku, 2)];
}
