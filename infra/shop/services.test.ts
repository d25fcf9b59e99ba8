import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { erasers, publicRoutes, rowOf, serviceNames, servicesWith } from "./services.ts";

const folder = resolve(import.meta.dirname, "../../services");

/** The types of events that the code of a service names. */
function namedEvents(service: string): string[] {
  const source = join(folder, service, "src");
  const code = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(source, file), "utf8"))
    .join("\n");
  return [...new Set(code.match(/(?<=")[a-z]+\.[a-z-]+\.v\d+(?=")/g))].toSorted();
}

test.each(serviceNames)("%s may use the events that its code names", (service) => {
  const { publishes = [], consumes = [] } = rowOf(service);
  expect([...publishes, ...consumes]).toEqual(expect.arrayContaining(namedEvents(service)));
});

test("each public path belongs to one service", () => {
  const prefixes = publicRoutes().map(({ prefix }) => prefix);
  expect(prefixes).toContain("/api/users");
  expect(new Set(prefixes).size).toBe(prefixes.length);
});

test("what a service has without a token lies below its own path", () => {
  for (const { prefix, public: operations } of publicRoutes()) {
    for (const operation of operations) {
      expect(operation).toMatch(new RegExp(`^(GET|POST|PUT|PATCH|DELETE) ${prefix}(/[^/]+)*$`));
    }
  }
});

test("everybody who hears that a person is erased can say so, and is waited for", () => {
  expect(erasers()).toEqual(expect.arrayContaining(["product", "cart", "order", "payment", "social"]));
  for (const name of serviceNames) {
    expect(rowOf(name).publishes?.includes("user.data-erased.v1") ?? false, name).toBe(
      erasers().includes(name),
    );
  }
});

test("a name will do for a database, a user of NATS and a job", () => {
  expect(servicesWith("mysql")).toContain("user");
  for (const name of serviceNames) {
    expect(name).toMatch(/^[a-z][a-z0-9-]{0,30}$/);
  }
});
