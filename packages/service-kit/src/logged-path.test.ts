import { expect, test } from "vitest";
import { loggedPath } from "./logged-path.ts";

const id = "8f14e45f-ceea-467f-a1d2-0f3b2c9d8e7a";

test.each([
  [`/api/cart/anon-${id}`, "/api/cart/anon-…"],
  [`/api/cart/anon-${id}/items/jacket-1`, "/api/cart/anon-…/items/jacket-1"],
  [`/api/users/erasures/${id}`, "/api/users/erasures/…"],
  [`/api/users/erasures/${id}/`, "/api/users/erasures/…/"],
  ["/api/cart/me", "/api/cart/me"],
  [`/api/orders/${id}`, `/api/orders/${id}`],
])("%s is logged as %s", (path, logged) => {
  expect(loggedPath(path)).toBe(logged);
});
