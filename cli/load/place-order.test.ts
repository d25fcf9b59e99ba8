import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placeOrder } from "./place-order.ts";

/** An order service that accepts everything. */
let server: Server;
let origin: string;
let seen: Array<string | undefined>;

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(201).end(JSON.stringify({ orderId: `order-${seen.length}` }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const lines = [{ sku: "tea-1", quantity: 1 }];

test("each order is sent with the token of that moment, and what that takes is not the order's time", async () => {
  let given = 0;
  let givenAtMs = 0;
  const tokenOf = async () => {
    await delay(20);
    givenAtMs = Date.now();
    given += 1;
    return `token-${given}`;
  };
  for (const orderId of ["order-1", "order-2"]) {
    const placed = await placeOrder({ origin, tokenOf, lines });
    expect(placed).toMatchObject({ status: 201, orderId });
    expect(placed.sentAtMs).toBeGreaterThanOrEqual(givenAtMs);
  }
  expect(seen).toEqual(["Bearer token-1", "Bearer token-2"]);
});

test("without a token there is no order, and no answer to count", async () => {
  const tokenOf = () => Promise.reject(new Error("no token"));
  await expect(placeOrder({ origin, tokenOf, lines })).rejects.toThrow("no token");
  expect(seen).toEqual([]);
});
