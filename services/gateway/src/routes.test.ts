import { describe, expect, test } from "vitest";
import { RouteTable, routesSetting } from "./routes.ts";

const routes = [
  { prefix: "/api/users", service: "user", public: ["POST /api/users", "GET /api/users/{userId}/card"] },
  { prefix: "/api/cart", service: "cart", public: [] },
];
const table = new RouteTable(routes);

test.each([
  ["/api/users", "user"],
  ["/api/users/101/addresses", "user"],
  ["/api/cart/user:101", "cart"],
  ["/api/usersx", undefined],
  ["/api/orders", undefined],
  ["/api", undefined],
  ["/", undefined],
])("%s belongs to %s", (path, service) => {
  expect(table.find(path)?.service).toBe(service);
});

test.each([
  ["POST", "/api/users", true],
  ["GET", "/api/users/7/card", true],
  ["HEAD", "/api/users/7/card", true],
  ["GET", "/api/users", false],
  ["GET", "/api/users//card", false],
  ["GET", "/api/users/7/8/card", false],
  ["GET", "/api/users/7/card/", false],
  ["DELETE", "/api/users/7/card", false],
])("whether %s %s is public: %s", (method, path, isPublic) => {
  expect(table.find(path)?.isPublic(method, path)).toBe(isPublic);
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
    '[{"prefix": "/api/users", "service": "user", "public": ["/api/users"]}]',
    '[{"prefix": "/api/users", "service": "user", "public": ["GET /api/orders"]}]',
    '[{"prefix": "/api/users", "service": "user"}, {"prefix": "/api/users", "service": "other"}]',
  ])("%j is refused", (text) => {
    expect(routesSetting.safeParse(text).success).toBe(false);
  });
});
