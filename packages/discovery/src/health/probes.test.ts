import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../../tests/support/until.ts";
import type { UpstreamEvent } from "../events.ts";
import type { Instance } from "../instance.ts";
import { upstreamPolicySchema } from "../policy.ts";
import { ListSource } from "../source.ts";
import { Upstream } from "../upstream.ts";

const settings = { path: "/readyz", intervalMs: 20, timeoutMs: 200, unhealthyAfter: 2, healthyAfter: 1 };

let server: Server;
let answer: RequestListener;
let events: UpstreamEvent[];
let upstream: Upstream;

beforeEach(async () => {
  answer = (_request, response) => response.end("ready");
  server = createServer((request, response) => answer(request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  events = [];
  const { port } = server.address() as AddressInfo;
  const endpoint = (id: string, origin: string) => ({ id, origin, weight: 1, meta: {} });
  upstream = new Upstream({
    name: "shelf",
    source: new ListSource([
      endpoint("dead", "http://127.0.0.1:1"),
      endpoint("live", `http://127.0.0.1:${port}`),
    ]),
    policy: upstreamPolicySchema.parse({ activeProbe: settings }),
    onEvent: (event) => events.push(event),
  });
});

afterEach(async () => {
  await upstream.close();
  server.closeAllConnections();
  server.close();
});

const stateOf = (id: string) => upstream.snapshot().instances.find((instance) => instance.id === id);
const kinds = (id: string) => events.filter(({ endpoint }) => endpoint === id).map(({ kind }) => kind);

test("an instance that can't be asked is left out before a request comes", async () => {
  await until("the dead one to be left out", () => stateOf("dead")?.state === "unhealthy");
  expect(stateOf("dead")?.why).toContain("/readyz: ECONNREFUSED");
  expect(stateOf("live")?.state).toBe("healthy");
  expect([1, 2, 3].map(() => upstream.pick()?.endpoint.id)).toEqual(["live", "live", "live"]);
});

test("one bad answer is forgiven, two in a row are not, and a good one brings it back slowly", async () => {
  let bad = 1;
  let asked = 0;
  answer = (_request, response) => {
    asked += 1;
    bad -= 1;
    response.writeHead(bad >= 0 ? 503 : 200).end();
  };
  await until("three questions", () => asked >= 3);
  expect(stateOf("live")?.state).toBe("healthy");
  bad = 2;
  await until("it to be left out and back", () => kinds("live").includes("healthy"));
  expect(kinds("live")).toEqual(["listed", "unhealthy", "healthy"]);
  expect(stateOf("live")?.state).toBe("slow-start");
});

test("an ejected instance comes back early when its probes were bad and are good again", async () => {
  answer = (_request, response) => response.writeHead(503).end();
  await until("both to be left out", () => kinds("dead").length === 2 && kinds("live").length === 2);
  // All are out, so all are used.
  while (!kinds("live").includes("ejected")) {
    const instance = upstream.pick() as Instance;
    upstream.release(instance, instance.endpoint.id === "live" ? "failure" : "cancelled", 1);
  }
  answer = (_request, response) => response.end("ready");
  await until("it to be back", () => stateOf("live")?.state === "slow-start");
  expect(kinds("live").slice(-2)).toEqual(["healthy", "returned"]);
  expect(stateOf("live")?.why).toBe("/readyz answers again");
});

test("no answer in time is a bad one", async () => {
  answer = () => {};
  await until("it to be left out", () => stateOf("live")?.state === "unhealthy");
  expect(stateOf("live")?.why).toBe("/readyz: no answer in 200 ms");
});

test("when probes are turned off, whom they left out comes back", async () => {
  await until("the dead one to be left out", () => stateOf("dead")?.state === "unhealthy");
  upstream.configure(upstreamPolicySchema.parse({ activeProbe: null, slowStartMs: 0 }));
  expect(stateOf("dead")).toMatchObject({ state: "healthy", why: "probes are off" });
});
