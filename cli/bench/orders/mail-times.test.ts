import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KeptMail } from "../../load/mails.ts";
import { mailTimesMs } from "./mail-times.ts";

/** An order service and a mail sink in one: each order is paid at once. */
let server: Server;
let url: string;
let mails: KeptMail[];
let signedIn: Array<string | undefined>;

beforeEach(async () => {
  mails = [];
  signedIn = [];
  server = createServer((request, response) => {
    if (request.method === "POST") {
      signedIn.push(request.headers.authorization);
      const orderId = `order-${signedIn.length}`;
      response.writeHead(201).end(JSON.stringify({ orderId }));
      mails.push({
        seq: signedIn.length,
        messageId: `<${orderId}.paid@shop>`,
        receivedAt: new Date().toISOString(),
        subject: "Paid",
        doubles: 0,
      });
    } else {
      const after = Number(new URL(request.url as string, url).searchParams.get("after"));
      response.end(JSON.stringify({ mails: mails.filter(({ seq }) => seq > after) }));
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test("each order has the token of that moment, and its mail", async () => {
  let given = 0;
  const tokenOf = async () => {
    given += 1;
    return `token-${given}`;
  };
  const shopping = { origins: [url], tokens: [tokenOf], lines: [{ sku: "tea-1", quantity: 1 }] };
  const pace = { ordersPerSecond: 100, orders: 3 };
  expect(await mailTimesMs(shopping, url, pace, AbortSignal.timeout(10_000))).toHaveLength(3);
  expect(signedIn.toSorted()).toEqual(["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
});
