import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ShopClient } from "../shop-client.ts";
import { type Customer, placeOrders, type Told } from "./customers.ts";
import { Gate } from "./gate.ts";

/** What the gateway does with one order after another. */
let answers: Array<(response: ServerResponse) => void>;
let keys: string[];
let server: Server;
let shop: ShopClient;
let customer: Customer;

beforeEach(async () => {
  keys = [];
  server = createServer((request, response) => {
    if (request.url === "/api/users/login") {
      respond(200, { token: "t", expiresAt: "2999-01-01T00:00:00Z", user: { id: 7 } })(response);
    } else {
      keys.push(keyOf(request));
      answers.shift()?.(response);
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  shop = new ShopClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  customer = { userId: 7, person: await shop.login({ email: "riya@example.org", password: "right" }) };
});

afterEach(async () => {
  await shop.close();
  server.closeAllConnections();
  server.close();
});

function keyOf(request: IncomingMessage): string {
  return String(request.headers["idempotency-key"]);
}

function respond(status: number, body: object): (response: ServerResponse) => void {
  return (response) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function order(count: number, signal = new AbortController().signal): Promise<Told> {
  const told: Told = { accepted: [], refused: [], unanswered: 0, retries: 0 };
  const gate = new Gate(count);
  gate.close();
  await placeOrders([customer], [{ sku: "tea-1", quantity: 1 }], gate, told, signal);
  return told;
}

test("an order without a definite answer is sent again with its key until it is accepted", async () => {
  answers = [
    (response) => response.destroy(),
    respond(503, { detail: "later" }),
    respond(409, { detail: "under way" }),
    respond(201, { orderId: "one" }),
    respond(201, { orderId: "two" }),
  ];
  expect(await order(2)).toEqual({
    accepted: [
      { orderId: "one", userId: 7, sentAtMs: expect.any(Number) },
      { orderId: "two", userId: 7, sentAtMs: expect.any(Number) },
    ],
    refused: [],
    unanswered: 0,
    retries: 3,
  });
  expect(new Set(keys.slice(0, 4)).size).toBe(1);
  expect(keys[4]).not.toBe(keys[0]);
});

test("a definite refusal is taken for one", async () => {
  answers = [respond(422, { detail: "There is no such product." })];
  expect(await order(1)).toMatchObject({ accepted: [], refused: ["422: There is no such product."] });
});

test("an order that nobody answers does not outlast the end of the run", async () => {
  const controller = new AbortController();
  answers = [() => controller.abort()];
  await expect(order(1, controller.signal)).rejects.toThrow("aborted");
});
