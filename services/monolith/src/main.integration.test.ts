import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { publicRoutes } from "../../../infra/shop/services.ts";
import { freePorts } from "../../../providers/host/src/ports.ts";
import { type MysqlServer, startMysql } from "../../../tests/servers/mysql.ts";
import { type ServiceProcess, startService } from "../../../tests/servers/service.ts";
import { asText, migrateUserService } from "../../user/src/testing/user-service.ts";

let mysql: MysqlServer;
let monolith: ServiceProcess;
let variables: Record<string, string>;

/** Where nobody answers. */
const away = { host: "127.0.0.1", port: 1 };

beforeAll(async () => {
  mysql = await startMysql("user", "order");
  const port = await freePorts(1);
  const shared = {
    NATS_URL: `nats://${away.host}:${away.port}`,
    NATS_USER: "nobody",
    NATS_PASSWORD: "none",
    JWKS_URL: `http://${away.host}:${away.port}/_gateway/jwks.json`,
    JWT_ISSUER: "gateway",
    JWT_AUDIENCE: "shop-services",
    CONSUL_URL: `http://${away.host}:${away.port}`,
    SERVICE_TOKEN_KEY: "0123456789abcdef0123456789abcdef",
  };
  const modules = {
    USER: {
      ...mysql.environmentOf("user"),
      REDIS_HOST: away.host,
      REDIS_PORT: away.port,
      REDIS_USER: "user",
      REDIS_PASSWORD: "none",
      TOKEN_ISSUER: "polyglot-lab",
      TOKEN_AUDIENCE: "shop",
      KEY_ENCRYPTION_KEY: "0123456789abcdef0123456789abcdef",
      ADMIN_EMAIL: "admin@example.org",
      ADMIN_PASSWORD: "the password of the admin",
      ERASERS: "product,cart",
    },
    PRODUCT: { MONGODB_URL: `mongodb://${away.host}:${away.port}`, MONGODB_DATABASE: "product" },
    CART: {
      REDIS_HOST: away.host,
      REDIS_PORT: away.port,
      REDIS_USER: "cart",
      REDIS_PASSWORD: "none",
      CART_TTL_SECONDS: 60,
      CART_STORE: "redis",
    },
    ORDER: {
      ...mysql.environmentOf("order"),
      CHAIN: "async",
      PRODUCT_SERVICE: "product",
      PAYMENT_SERVICE: "payment",
    },
    PAYMENT: {
      ...mysql.environmentOf("order"),
      MYSQL_PORT: away.port,
      NOTIFICATION_SERVICE: "notification",
      PROVIDER_URL: `http://${away.host}:${away.port}`,
      PROVIDER_API_KEY: "none",
    },
    NOTIFICATION: {
      ...mysql.environmentOf("order"),
      MYSQL_PORT: away.port,
      SMTP_HOST: away.host,
      SMTP_PORT: away.port,
      MAIL_FROM: "shop@example.org",
    },
    ANALYTICS: {
      CASSANDRA_HOST: away.host,
      CASSANDRA_PORT: away.port,
      CASSANDRA_DATACENTER: "datacenter1",
      CASSANDRA_KEYSPACE: "analytics",
      CASSANDRA_USER: "analytics",
      CASSANDRA_PASSWORD: "none",
    },
    SOCIAL: {
      NEO4J_URL: `bolt://${away.host}:${away.port}`,
      NEO4J_USER: "neo4j",
      NEO4J_PASSWORD: "none",
    },
  };
  await migrateUserService(asText({ ...shared, ...modules.USER }));
  const prefixed = Object.entries(modules).flatMap(([module, own]) =>
    Object.entries({ ...shared, ...own }).map(([name, value]) => [`${module}__${name}`, value]),
  );
  variables = asText({ PORT: port, ...Object.fromEntries(prefixed) });
  monolith = await startService("monolith", variables);
});

afterAll(async () => {
  await monolith?.kill();
  await mysql?.stop();
});

test("the services of the shop answer from one process, each from its own store", async () => {
  const account = { name: "Riya", email: "riya@example.org", password: "correct horse battery" };
  const registered = await fetch(`${monolith.url}/api/users`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(account),
  });
  expect(registered.status).toBe(201);
  const product = await fetch(`${monolith.url}/api/products/jacket-1`);
  expect(product.status).toBe(503);
  expect(product.headers.get("retry-after")).toBe("1");
  expect(await product.json()).toMatchObject({ detail: expect.stringContaining("product") });
  for (const area of [
    "cart/me",
    "orders",
    "payments/1",
    "notifications",
    "analytics/rows/1",
    "social/path",
  ]) {
    expect((await fetch(`${monolith.url}/api/${area}`)).status, area).not.toBe(404);
  }
  const lines = monolith.logged.map((line) => JSON.parse(line));
  expect(lines).toContainEqual(
    expect.objectContaining({ service: "monolith", module: "user", path: "/api/users", status: 201 }),
  );
});

test("it does not start with an empty port or address, and names each", async () => {
  const names = Object.keys(variables).filter((name) => /(PORT|(NATS|MONGODB|NEO4J)_URL)$/.test(name));
  const emptied = Object.fromEntries(names.map((name) => [name, ""]));
  const refusal = await startService("monolith", { ...variables, ...emptied }).then(
    () => "it has started",
    (error: Error) => error.message,
  );
  expect(
    refusal
      .match(/^ +\w+(?=: )/gm)
      ?.map((name) => name.trim())
      .sort(),
  ).toEqual(names.sort());
});

test("one document describes what they all answer", async () => {
  const { paths } = (await (await fetch(`${monolith.url}/openapi.json`)).json()) as { paths: object };
  for (const path of ["/api/users/login", "/api/products/{sku}", "/api/cart/merge", "/api/social/path"]) {
    expect(Object.keys(paths)).toContain(path);
  }
});

describe("what the gateway's table says of the services", () => {
  const table = publicRoutes();
  const open = table.flatMap(({ public: operations }) => operations);
  let operations: { name: string; path: string; isOpen: boolean }[];

  beforeAll(async () => {
    const { paths } = (await (await fetch(`${monolith.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { security?: object[] }>>;
    };
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security = [{}] }]) => ({
        name: `${method.toUpperCase()} ${path}`,
        path,
        isOpen: security.some((scheme) => Object.keys(scheme).length === 0),
      })),
    );
  });

  test("each operation that takes requests without a token is there, and no other", () => {
    const found = operations.filter(({ isOpen }) => isOpen).map(({ name }) => name);
    expect(open.toSorted()).toEqual(found.toSorted());
  });

  test("no operation that wants a token looks like one that wants none", () => {
    const patterns = open.map((name) => new RegExp(`^${name.replaceAll(/\{\w+\}/g, "[^/]+")}$`));
    for (const { name } of operations.filter(({ isOpen }) => !isOpen)) {
      expect(
        patterns.filter((pattern) => pattern.test(name)),
        name,
      ).toEqual([]);
    }
  });

  test("the gateway has a way to each operation, but for those that other services call", () => {
    const isBelow = (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
    const hidden = operations.filter(({ path }) => !table.some(({ prefix }) => isBelow(path, prefix)));
    expect(hidden.map(({ name }) => name)).toEqual([
      "POST /internal/payments",
      "POST /internal/notifications",
    ]);
  });
});

test("it lives, and says which of its stores are away", async () => {
  expect((await fetch(`${monolith.url}/livez`)).status).toBe(200);
  const ready = await fetch(`${monolith.url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    checks: { user: "pass", cart: expect.stringContaining("redis fail") },
  });
});

test("one signal ends all of them", async () => {
  expect(await monolith.stop()).toBe(0);
});
