import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { orderFor } from "./load.ts";

/** An order service that takes each token once. */
let server: Server;
let origin: string;
let seen: Set<string | undefined>;

beforeEach(async () => {
  seen = new Set();
  server = createServer((request, response) => {
    const { authorization } = request.headers;
    response.writeHead(seen.has(authorization) ? 401 : 201).end();
    seen.add(authorization);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test("each order of the load is sent with the token of that moment", async () => {
  let given = 0;
  const tokens = ["ada", "riya"].map((name) => async () => {
    given += 1;
    return `${name}-${given}`;
  });
  const shopping = { origins: [origin], tokens, lines: [{ sku: "tea-1", quantity: 1 }] };
  const { accepted, refused } = await orderFor(shopping, 4, 100);
  expect(accepted).toBeGreaterThan(10);
  expect(accepted).toBe(given);
  expect(refused).toEqual({});
});

test("a load without tokens ends at once, and says why", async () => {
  const tokens = [
    async () => {
      throw new Error("no token");
    },
    async () => `ada-${seen.size}`,
  ];
  const shopping = { origins: [origin], tokens, lines: [{ sku: "tea-1", quantity: 1 }] };
  const startedMs = performance.now();
  await expect(orderFor(shopping, 4, 60_000)).rejects.toThrow("no token");
  expect(performance.now() - startedMs).toBeLessThan(5000);
});
