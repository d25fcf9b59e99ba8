import { expect, test } from "vitest";
import { routeOf } from "./routes.ts";

test.each([
  ["/api/users", "user"],
  ["/api/users/101/addresses", "user"],
  ["/api/cart/user:101", "cart"],
  ["/api/usersx", undefined],
  ["/api", undefined],
  ["/", undefined],
])("%s belongs to %s", (path, service) => {
  expect(routeOf(path)?.service).toBe(service);
});
