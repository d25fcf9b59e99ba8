import fc from "fast-check";
import { expect, test } from "vitest";
import { readTarget } from "./request-target.ts";

test.each([
  ["/api/users", { path: "/api/users", pathAndQuery: "/api/users" }],
  ["/api/users?name=a%20b&x", { path: "/api/users", pathAndQuery: "/api/users?name=a%20b&x" }],
  ["/api/users?next=/../admin", { path: "/api/users", pathAndQuery: "/api/users?next=/../admin" }],
  ["/api/files/a..b/.hidden", { path: "/api/files/a..b/.hidden", pathAndQuery: "/api/files/a..b/.hidden" }],
  ["http://shop:80/api?a", { path: "/api", pathAndQuery: "/api?a", authority: "shop:80" }],
  ["HTTPS://[::1]:8080", { path: "/", pathAndQuery: "/", authority: "[::1]:8080" }],
  ["http://shop?a=b", { path: "/", pathAndQuery: "/?a=b", authority: "shop" }],
])("%s is taken as it is", (target, expected) => {
  expect(readTarget(target)).toEqual(expected);
});

test.each([
  "*",
  "",
  "api/users",
  "shop:443",
  "ftp://shop/api",
  "http://riya@shop/api",
  "http:///api",
  "/api/../admin",
  "/api/./users",
  "/api/users/..",
  "/api/%2e%2E/admin",
  "/api/.%2e/admin",
  "/api/..%2fadmin",
  "/api/users%2F..%2F..",
  "/api\\admin",
  "/api%5cadmin",
  "/api/users%00.json",
  "/api/users#part",
  "http://shop/api/../admin",
])("%j could mean different things, and is not taken", (target) => {
  expect(readTarget(target)).toBeUndefined();
});

test("whatever is taken names the same path to one who resolves dot segments, decoded or not", () => {
  const segment = fc.constantFrom(
    "api",
    "users",
    ".",
    "..",
    "%2e",
    "%2E.",
    "a.b",
    "",
    "%2f",
    "..%2f",
    "%2F.",
  );
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
      const target = readTarget(`/${segments.join("/")}`);
      if (target) {
        expect(new URL(`http://shop${target.path}`).pathname).toBe(target.path);
        const decoded = target.path.replaceAll(/%2f/gi, "/");
        expect(new URL(`http://shop${decoded}`).pathname).toBe(decoded);
      }
    }),
  );
});
