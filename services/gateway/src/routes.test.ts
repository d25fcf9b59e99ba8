import { describe, expect, test } from "vitest";
import { routeOf, routesSetting } from "./routes.ts";

const routes = [
  { prefix: "/api/users", service: "user" },
  { prefix: "/api/cart", service: "cart" },
];

test.each([
  ["/api/users", "user"],
  ["/api/users/101/addresses", "user"],
  ["/api/cart/user:101", "cart"],
  ["/api/usersx", undefined],
  ["/api/orders", undefined],
  ["/api", undefined],
  ["/", undefined],
])("%s belongs to %s", (path, service) => {
  expect(routeOf(routes, path)?.service).toBe(service);
});

describe("the setting", () => {
  test("is JSON", () => {
    expect(routesSetting.parse(JSON.stringify(routes))).toEqual(routes);
  });

  test.each([
    "",
    "user",
    "[]",
    '{"user": "/api/users"}',
    '[{"prefix": "/internal/users", "service": "user"}]',
    '[{"prefix": "/api/", "service": "user"}]',
    '[{"prefix": "/api/users", "service": ""}]',
  ])("%j is refused", (text) => {
    expect(routesSetting.safeParse(text).success).toBe(false);
  });
});
