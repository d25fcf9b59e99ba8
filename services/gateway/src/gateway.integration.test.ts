import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../../tests/support/until.ts";
import { GatewayWorld } from "./testing/gateway-world.ts";

let world: GatewayWorld;

afterAll(() => world?.stop());

/** Statuses, counted. */
function counted(answers: readonly Response[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) {
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

beforeAll(async () => {
  world = await GatewayWorld.start({
    weights: [3, 1],
    gateways: 2,
    policies: {
      upstream: { balancing: "weighted-round-robin", slowStartMs: 0 },
      rateLimit: { address: { limit: 60, windowSeconds: 3600 }, exempt: ["127.0.0.2"] },
    },
  });
});

test("answers come through whole, on a connection that is kept", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { authorization: `Bearer ${await world.tokenOf(101)}` };
  const reused: boolean[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const request = get(`${world.origin}/api/things`, { agent, headers });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(await json(response)).toEqual({ name: expect.stringMatching(/^thing-/) });
    reused.push(request.reusedSocket);
  }
  expect(reused).toEqual([false, true, true]);
  agent.destroy();
});

describe("limits", () => {
  test("exactly as many as the limit says pass, over two gateways on one port; the others hear when to come again", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => world.ask()));
    expect(counted(answers)).toEqual({ 200: 60, 429: 40 });
    const refused = answers.find(({ status }) => status === 429);
    expect(Object.fromEntries(refused?.headers ?? [])).toMatchObject({
      "content-type": "application/problem+json",
      "ratelimit-policy": '"address";q=60;w=3600',
      ratelimit: expect.stringMatching(/^"address";r=0;t=\d+$/),
      "retry-after": expect.stringMatching(/^\d+$/),
    });
    const numbers = await Promise.all(
      world.gateways.map((gateway) => world.metric("gateway_rate_limited_total", gateway)),
    );
    expect(numbers[0] as number).toBeGreaterThan(0);
    expect((numbers[0] as number) + (numbers[1] as number)).toBe(40);
  });

  test("they don't concern who has a token, health and metrics, and a person has a limit of their own", async () => {
    const answer = await world.ask(await world.tokenOf(101));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("ratelimit-policy")).toBe('"identity";q=12000;w=60');
    for (const path of ["/livez", "/readyz", "/metrics", "/_gateway/jwks.json"]) {
      const { status, headers } = await fetch(`${world.origin}${path}`);
      expect([path, status, headers.get("ratelimit")]).toEqual([path, 200, null]);
    }
  });

  test("guesses of tokens count, too", async () => {
    expect((await world.ask("no.such.token")).status).toBe(429);
  });
});

test("instances get their share by the weights in Consul", async () => {
  const token = await world.tokenOf(101);
  const [heavy, light] = world.things;
  const before = [heavy?.asked.length ?? 0, light?.asked.length ?? 0];
  for (let index = 0; index < 40; index++) {
    await world.ask(token);
  }
  const heavier = (heavy?.asked.length ?? 0) - (before[0] ?? 0);
  expect(heavier).toBeGreaterThanOrEqual(28);
  expect(heavier).toBeLessThanOrEqual(32);
});

describe("what the gateway answers itself", () => {
  test("is for this machine only, but for the keys", async () => {
    const forwarded = { headers: { "x-forwarded-for": "127.0.0.1" } };
    for (const path of ["/_gateway/endpoints", "/_gateway/token"]) {
      const method = path.endsWith("token") ? "POST" : "GET";
      const answer = await fetch(`${world.origin}${path}`, { method, ...forwarded });
      expect([path, answer.status]).toEqual([path, 403]);
    }
    expect((await fetch(`${world.origin}/_gateway/jwks.json`, forwarded)).status).toBe(200);
    expect((await fetch(`${world.origin}/_gateway/endpoints`)).status).toBe(200);
  });

  test("a token for services, which their keys are good for, is given for a person's own only", async () => {
    const ask = (authorization?: string) =>
      fetch(`${world.origin}/_gateway/token`, {
        method: "POST",
        headers: authorization ? { authorization } : {},
      });
    const answer = await ask(`Bearer ${await world.tokenOf(101)}`);
    const { token, expiresAt } = (await answer.json()) as { token: string; expiresAt: string };
    const keys = createRemoteJWKSet(new URL(`${world.gateways[1]?.url}/_gateway/jwks.json`));
    const { payload } = await jwtVerify(token, keys, { issuer: "gateway", audience: "shop-services" });
    expect(payload).toMatchObject({ sub: "101", sid: "login of 101" });
    expect(Date.parse(expiresAt)).toBe((payload.exp ?? 0) * 1000);
    expect((await ask()).status).toBe(401);
    expect((await ask(`Bearer ${token}`)).status).toBe(401);
  });

  test("the documents of all services as one, and a page that shows it", async () => {
    const document = (await (await fetch(`${world.origin}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(["/api/things", "/api/users"]));
    expect(Object.keys(document.paths)).not.toContain("/readyz");
    const page = await fetch(`${world.origin}/docs/`);
    expect([page.status, page.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/html"),
    ]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
  });
});

test("a log-out is heard of by all gateways, and an erasure ends all log-ins of a person", async () => {
  const [first, second, other] = await Promise.all([
    world.tokenOf(201, "first"),
    world.tokenOf(201, "second"),
    world.tokenOf(202),
  ]);
  const statuses = async (token: string) => {
    const all = await Promise.all(
      world.gateways.map((gateway) =>
        fetch(`${gateway.url}/_gateway/token`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}` },
        }),
      ),
    );
    return all.map(({ status }) => status);
  };
  expect(await statuses(first)).toEqual([200, 200]);
  const redis = world.redis.connect();
  const nowSeconds = Math.floor(Date.now() / 1000);
  await redis.xadd("revocations", "*", "sid", "first", "exp", String(nowSeconds + 3600));
  await until("both to refuse it", async () => (await statuses(first)).every((status) => status === 401));
  expect((await world.ask(first)).status).not.toBe(200);
  expect(await statuses(second)).toEqual([200, 200]);
  await redis.xadd("revocations", "*", "sub", "201", "iat", String(nowSeconds + 1));
  await until("both to refuse all", async () => (await statuses(second)).every((status) => status === 401));
  expect(await statuses(other)).toEqual([200, 200]);
  redis.disconnect();
});

describe("policies in Consul", () => {
  test("take effect while requests run, none of which fails; bad ones are refused and reported", async () => {
    const token = await world.tokenOf(301);
    let isOver = false;
    const failures: number[] = [];
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const { status } = await world.ask(token);
        if (status !== 200) {
          failures.push(status);
        }
        await delay(5);
      }
    });
    const reports = () => Promise.all(world.gateways.map((gateway) => world.report(gateway)));
    const identity = { limit: 1_000_000, windowSeconds: 60 };
    await world.setPolicies(
      JSON.stringify({ maxBodyBytes: 1234, upstream: { balancing: "random" }, rateLimit: { identity } }),
    );
    await until("both to have them", async () =>
      (await reports()).every(
        ({ policies }) => policies.source === "consul" && policies.maxBodyBytes === 1234,
      ),
    );
    await world.setPolicies('{"maxBodyBytes": "much"}');
    await until("both to refuse", async () =>
      (await reports()).every(({ policies }) => policies.refused?.startsWith("maxBodyBytes: ")),
    );
    expect((await world.report()).policies.maxBodyBytes).toBe(1234);
    expect(await world.metric('gateway_policy_changes_total{result="refused"')).toBe(1);
    await world.setPolicies(undefined);
    await until("both to have their own again", async () =>
      (await reports()).every(({ policies }) => policies.source === "configuration" && !policies.refused),
    );
    expect((await world.report()).policies.maxBodyBytes).toBe(1_048_576);
    isOver = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
  });
});

describe("without Redis", () => {
  test("all pass or none, as configured, with a metric; and it counts again when Redis is back", async () => {
    const token = await world.tokenOf(401);
    await world.redis.kill();
    await until("it to be noticed", async () => !(await world.report()).revocations.isCurrent);
    expect((await world.ask(undefined, world.gateways[0]?.url)).status).not.toBe(500);
    const open = await Promise.all(Array.from({ length: 20 }, () => world.ask()));
    expect(counted(open)).toEqual({ 200: 20 });
    expect((await world.ask(token)).status).toBe(200);
    expect((await fetch(`${world.gateways[0]?.url}/readyz`)).status).toBe(200);
    expect(await world.metric("gateway_redis_away_total")).toBeGreaterThan(0);
    expect(await world.metric("gateway_revocations_current")).toBe(0);
    await world.setPolicies('{"rateLimit": {"whenDown": "closed"}, "revocation": {"whenDown": "closed"}}');
    await until("all to be refused", async () =>
      (await Promise.all(Array.from({ length: 10 }, () => world.ask()))).every(
        ({ status }) => status === 503,
      ),
    );
    expect((await world.ask(token)).status).toBe(503);
    await world.redis.start();
    await until("it to count again", async () => (await world.ask(token)).status === 200);
    await world.setPolicies(undefined);
  });
});

test("without Consul the last list stays in use, and metric and readiness say so", async () => {
  const token = await world.tokenOf(501);
  await world.consul.stop();
  await until("it to be noticed", async () => (await world.metric("gateway_registry_current")) === 0);
  const answers = await Promise.all(Array.from({ length: 20 }, () => world.ask(token)));
  expect(counted(answers)).toEqual({ 200: 20 });
  const ready = await fetch(`${world.gateways[0]?.url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining("last known list")]);
});

test("a gateway that is told to stop ends by itself, and the other one goes on", async () => {
  const token = await world.tokenOf(601);
  expect(await world.gateways[1]?.stop()).toBe(0);
  expect((await world.ask(token)).status).toBe(200);
});
