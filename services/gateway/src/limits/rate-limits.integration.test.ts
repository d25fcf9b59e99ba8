import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type RedisServer, startRedis } from "../../../../tests/servers/redis.ts";
import { until } from "../../../../tests/support/until.ts";
import { policiesFrom } from "../policies/policies.ts";
import { RateLimitAwayError, RateLimits, rateLimitHeaders } from "./rate-limits.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

/** The limits as an instance of the gateway has them, with its own account. */
async function limitsWith(rateLimit: object, onError?: (error: Error) => void): Promise<RateLimits> {
  const { REDIS_PORT, REDIS_USER, REDIS_PASSWORD } = server.environmentOf("gateway");
  const redis = new Redis({
    port: Number(REDIS_PORT),
    username: REDIS_USER,
    password: REDIS_PASSWORD,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 250,
    retryStrategy: () => 100,
  }).on("error", () => undefined);
  onTestFinished(() => redis.disconnect());
  await until("a connection", () => redis.status === "ready");
  return new RateLimits({ redis, settings: policiesFrom([{ rateLimit }], []).rateLimit, onError });
}

const passed = async (limits: RateLimits[], key: string, requests: number) => {
  const verdicts = await Promise.all(
    Array.from({ length: requests }, (_, index) => limits[index % limits.length]?.count("address", key)),
  );
  return verdicts.filter((verdict) => verdict?.isAllowed).length;
};

test("exactly as many as the limit says pass in a window, over two instances", async () => {
  const settings = { address: { limit: 100, windowSeconds: 60 } };
  const both = await Promise.all([limitsWith(settings), limitsWith(settings)]);
  expect(await passed(both, "exact", 150)).toBe(100);
  expect(await passed(both, "another", 50)).toBe(50);
});

test("of a limit of 1000, never more pass, and no more are lost than each instance has in hand", async () => {
  const settings = { address: { limit: 1000, windowSeconds: 60 } };
  const both = await Promise.all([limitsWith(settings), limitsWith(settings)]);
  let count = 0;
  for (let round = 0; round < 60; round++) {
    count += await passed(both, "large", 20);
  }
  expect(count).toBeLessThanOrEqual(1000);
  expect(count).toBeGreaterThanOrEqual(990);
});

test("a limit that becomes smaller begins anew: nobody pays for what was taken in advance of the larger one", async () => {
  const large = await limitsWith({ address: { limit: 1_000_000, windowSeconds: 60 } });
  await large.count("address", "changed");
  const small = await limitsWith({ address: { limit: 100, windowSeconds: 60 } });
  expect(await passed([small], "changed", 150)).toBe(100);
});

test("a caller hears how many are left, and when there are more again", async () => {
  const limits = await limitsWith({ address: { limit: 2, windowSeconds: 30 } });
  const verdicts = [];
  for (let index = 0; index < 3; index++) {
    verdicts.push(await limits.count("address", "told"));
  }
  expect(verdicts).toMatchObject([
    { isAllowed: true, remaining: 1, limit: 2, windowSeconds: 30 },
    { isAllowed: true, remaining: 0 },
    { isAllowed: false, remaining: 0, resetSeconds: 30 },
  ]);
  expect(rateLimitHeaders(verdicts[0] as NonNullable<(typeof verdicts)[0]>)).toEqual([
    ...["RateLimit-Policy", '"address";q=2;w=30', "RateLimit", '"address";r=1;t=30'],
  ]);
});

test("with the action delay a request above the limit waits for the next window", async () => {
  const limits = await limitsWith({ action: "delay", address: { limit: 1, windowSeconds: 1 } });
  await limits.count("address", "patient");
  const startedMs = performance.now();
  expect(await limits.count("address", "patient")).toMatchObject({ isAllowed: true });
  expect(performance.now() - startedMs).toBeGreaterThan(500);
});

test("with the action delay no more wait than the policy says, and none for a window that is far", async () => {
  const near = await limitsWith({ action: "delay", maxWaiting: 1, address: { limit: 1, windowSeconds: 1 } });
  await near.count("address", "crowd");
  const all = await Promise.all([near.count("address", "crowd"), near.count("address", "crowd")]);
  expect(all.map((verdict) => verdict?.isAllowed).toSorted()).toEqual([false, true]);
  const far = await limitsWith({
    action: "delay",
    maxDelayMs: 100,
    address: { limit: 1, windowSeconds: 60 },
  });
  await far.count("address", "far");
  expect(await far.count("address", "far")).toMatchObject({ isAllowed: false });
});

test("without Redis all pass or none, as configured, and it counts again once Redis is back, under load too", async () => {
  const address = { limit: 3, windowSeconds: 60 };
  let errors = 0;
  const open = await limitsWith({ whenDown: "open", address }, () => {
    errors += 1;
  });
  const closed = await limitsWith({ whenDown: "closed", address });
  await server.kill();
  expect(await open.count("address", "down")).toBeUndefined();
  await expect(closed.count("address", "down")).rejects.toThrow(RateLimitAwayError);
  expect(errors).toBe(1);
  await server.start();
  await until("it to count", async () => (await closed.count("address", "back")) !== undefined, 10_000);
  await until("it to count", async () => (await open.count("address", "back")) !== undefined, 10_000);
});
