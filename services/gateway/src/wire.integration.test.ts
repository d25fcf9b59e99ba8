import { afterAll, beforeAll, expect, test } from "vitest";
import { startEnvoy } from "../../../tests/servers/envoy.ts";
import { startNginx } from "../../../tests/servers/nginx.ts";
import { type GatewayWorld, startGatewayWorld } from "../../../tests/support/gateway-world.ts";
import { exchange } from "../../../tests/support/raw-client.ts";
import { type RawUpstream, startRawUpstream } from "../../../tests/support/raw-upstream.ts";
import { until } from "../../../tests/support/until.ts";
import { type WireCase, wireCases } from "./testing/wire-cases.ts";

/** A proxy with an instance of its own behind it, so that all can be asked at the same time. */
interface Side {
  port: number;
  upstream: RawUpstream;
  stop(): Promise<void>;
}

const names = ["gateway", "nginx", "envoy"] as const;
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

let sides: Record<(typeof names)[number], Side>;
let token: string;

beforeAll(async () => {
  const upstreams = await Promise.all(names.map(() => startRawUpstream()));
  const [mine, nginxs, envoys] = upstreams as [RawUpstream, RawUpstream, RawUpstream];
  const world: GatewayWorld = await startGatewayWorld(mine.port);
  token = world.token;
  sides = {
    gateway: { port: world.port, upstream: mine, stop: world.stop },
    nginx: { ...(await startNginx(nginxs.port)), upstream: nginxs },
    envoy: { ...(await startEnvoy(envoys.port)), upstream: envoys },
  };
});

afterAll(async () => {
  for (const { upstream, stop } of Object.values(sides ?? {})) {
    await stop();
    await upstream.stop();
  }
});

test.each(wireCases)("$what", async (one) => {
  const [gateway, nginx, envoy] = await Promise.all(names.map((name) => handle(sides[name], one)));
  expect({ gateway, nginx, envoy }).toEqual({
    gateway: one.gateway,
    nginx: "nginx" in one ? one.nginx : one.gateway,
    envoy: "envoy" in one ? one.envoy : one.gateway,
  });
});

/** What a proxy did with the bytes: the fact of it that is looked at. */
async function handle({ port, upstream }: Side, one: WireCase): Promise<unknown> {
  upstream.answerWith(one.upstream ?? ok, { close: one.upstreamCloses });
  upstream.expectNothing();
  const exchanged = await exchange(port, {
    parts: one.parts.map((part) => part.replaceAll("<token>", token)),
    answers: one.answers ?? 1,
    isHead: one.isHead,
  });
  return one.look({ ...exchanged, requests: upstream.requests, received: upstream.received() });
}

test("a request that arrives byte by byte is answered", async () => {
  const bytes = `POST /api/things HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${token}\r\nContent-Length: 2\r\n\r\nhi`;
  const parts = bytes.split("");
  for (const name of names) {
    const { port, upstream } = sides[name];
    upstream.answerWith(ok);
    upstream.expectNothing();
    const { statuses } = await exchange(port, { parts, answers: 1, isSlow: true });
    expect([name, statuses, upstream.requests[0]?.body]).toEqual([name, [200], "hi"]);
  }
});

test("the first part of a large body reaches the instance before the last is sent, but for nginx, which collects it", async () => {
  const half = "x".repeat(100_000);
  const start = `POST /api/things HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${token}\r\nContent-Length: 200000\r\n\r\n${half}`;
  for (const name of ["gateway", "envoy"] as const) {
    const { port, upstream } = sides[name];
    upstream.answerWith(ok);
    upstream.expectNothing();
    const arrived = until(
      `${name} to hand on the first part`,
      () => upstream.received().length > half.length,
    );
    const { statuses } = await exchange(port, { parts: [start, half], answers: 1, after: arrived });
    expect([name, statuses, upstream.requests[0]?.body.length]).toEqual([name, [200], 200_000]);
  }
});

test.each([
  { what: "the head of a request", start: "GET /api/things HTTP/1.1\r\nHost: shop\r\n" },
  {
    what: "a small body",
    start:
      "POST /api/things HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer <token>\r\nContent-Length: 5\r\n\r\nhe",
  },
])("$what that does not go on is refused in time, and no instance hears of it", async ({ start }) => {
  const { port, upstream } = sides.gateway;
  upstream.expectNothing();
  const parts = [start.replace("<token>", token)];
  const { statuses, isClosed } = await exchange(port, { parts, answers: 2, withinMs: 30_000 });
  expect({ statuses, isClosed, received: upstream.received() }).toEqual({
    statuses: [408],
    isClosed: true,
    received: "",
  });
});
