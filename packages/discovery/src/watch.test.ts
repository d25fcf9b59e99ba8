import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../tests/support/until.ts";
import { ServiceWatch } from "./watch.ts";

/** What a server of several says: a real one falls behind only when its network does. */
interface Answer {
  status?: number;
  port?: number;
  index?: number;
  headers?: Record<string, string>;
}

const old = { "x-consul-knownleader": "true", "x-consul-lastcontact": "60000" };
const leaderless = { "x-consul-knownleader": "false", "x-consul-lastcontact": "0" };

let server: Server;
let asked: URLSearchParams[];
let answerTo: (query: URLSearchParams) => Answer | undefined;
let watch: ServiceWatch;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    const query = new URL(request.url ?? "", "http://consul").searchParams;
    asked.push(query);
    const answer = answerTo(query);
    if (!answer) {
      return;
    }
    const { status = 200, port = 1001, index = 7, headers } = answer;
    const list = [{ Node: { Address: "127.0.0.1" }, Service: { ID: "one", Address: "", Port: port } }];
    response.writeHead(status, { "x-consul-index": index, ...headers }).end(JSON.stringify(list));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterEach(async () => {
  await watch.close();
  server.closeAllConnections();
  server.close();
});

function start(): void {
  const { port } = server.address() as AddressInfo;
  watch = new ServiceWatch({ consulUrl: `http://127.0.0.1:${port}`, service: "shelf" });
}

const origins = () => watch.endpoints.map(({ origin }) => origin);

test("any server is asked, and one that is up to date is believed", async () => {
  answerTo = (query) => (query.get("index") === "0" ? {} : undefined);
  start();
  await until("the question that waits", () => asked.length === 2);
  expect(asked.map((query) => query.has("stale"))).toEqual([true, true]);
  expect(asked[1]?.get("index")).toBe("7");
});

test.each([
  ["has not heard of the leader for long", old],
  ["knows no leader", leaderless],
])("when a server %s, the leader is asked", async (_, headers) => {
  answerTo = (query) => {
    if (query.has("consistent")) {
      return { port: 2002, index: 9 };
    }
    return query.get("index") === "0" ? { headers } : undefined;
  };
  start();
  await until("the leader's answer", () => origins().includes("http://127.0.0.1:2002"));
  await until("the question that waits", () => asked.at(-1)?.get("index") === "9");
  expect(watch.status.isCurrent).toBe(true);
});

test("old news are taken when there are no others, and not taken for current", async () => {
  answerTo = (query) => (query.has("consistent") ? { status: 500 } : { headers: leaderless });
  start();
  await until("the news", () => origins().includes("http://127.0.0.1:1001"));
  await until("the error", () => watch.status.error?.includes("500") === true);
  expect(watch.status).toMatchObject({ isKnown: true, isCurrent: false });
  answerTo = (query) => (query.has("consistent") ? { status: 500 } : { headers: leaderless, port: 3003 });
  const before = asked.length;
  await until("more answers", () => asked.length > before + 3);
  expect(origins()).toEqual(["http://127.0.0.1:1001"]);
});

test("an index that goes back is followed from its beginning", async () => {
  const indexes = [7, 3];
  answerTo = () => {
    const index = indexes.shift();
    return index === undefined ? undefined : { index, port: index };
  };
  start();
  await until("three questions", () => asked.length === 3);
  expect(asked.map((query) => query.get("index"))).toEqual(["0", "7", "0"]);
  expect(origins()).toEqual(["http://127.0.0.1:3"]);
});

test("a server that answers at once although nothing is new is not asked without end", async () => {
  answerTo = () => ({});
  start();
  const startedMs = performance.now();
  await until("a few questions", () => asked.length >= 5);
  expect(performance.now() - startedMs).toBeGreaterThan(250);
});
