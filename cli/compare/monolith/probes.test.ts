import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { labAddress } from "../../lab-address.ts";
import { Probes, routes } from "./probes.ts";

/** A shop that answers everything, once for each token. */
let server: Server;
let url: string;
let seen: Set<string | undefined>;
let addresses: Set<string | undefined>;

beforeEach(async () => {
  seen = new Set();
  addresses = new Set();
  server = createServer((request, response) => {
    const { authorization } = request.headers;
    response.writeHead(seen.has(authorization) ? 500 : 200).end();
    seen.add(authorization);
    addresses.add(request.socket.remoteAddress);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test("all routes are asked with the token of that moment, from the address that the gateway does not limit", async () => {
  let given = 0;
  const probes = new Probes(
    () => url,
    async () => {
      given += 1;
      return `token-${given}`;
    },
  );
  await probes.untilCalm(AbortSignal.timeout(10_000));
  await probes.close();
  const outages = probes.outages();
  expect(Object.keys(outages)).toEqual(routes.map(({ service }) => service));
  expect(Object.values(outages).reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
  expect(addresses).toEqual(new Set([labAddress]));
});
