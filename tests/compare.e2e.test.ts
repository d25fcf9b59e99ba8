import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { ResultPromise } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OrdersBenchmark } from "../cli/bench/orders.ts";
import type { StatusReport } from "../cli/commands/status.ts";
import type { SyncAsyncReport } from "../cli/compare/sync-async.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";

let lab: ThrowawayLab;

beforeAll(async () => {
  lab = await createThrowawayLab("compared");
  const { exitCode, stderr } = await lab.lab(["up"]);
  expect(exitCode, stderr).toBe(0);
});

afterAll(() => lab?.remove());

/** Payment runs and its provider is quick, the synchronous chain doesn't run, and all is healthy. */
async function expectAsBefore(): Promise<void> {
  const { jobs, urls } = await lab.json<StatusReport>(["status"]);
  const { PROVIDER_API_KEY: key } = await lab.json<Record<string, string>>(["env"]);
  const behaviour = await fetch(`${urls.paymentProvider}/v1/behaviour`, {
    headers: { authorization: `Bearer ${key}` },
  });
  expect(await behaviour.json()).toMatchObject({ latencyMs: 0 });
  expect(jobs.filter(({ state }) => state === "unhealthy")).toEqual([]);
  const states = Object.fromEntries(jobs.map(({ name, state }) => [name, state]));
  expect(states).toMatchObject({ order: "healthy", payment: "healthy" });
  expect(states["order-sync"]).not.toBe("healthy");
  expect(states["payment-sync"]).not.toBe("healthy");
}

describe("compare sync-async", () => {
  test("shows that calls make customers wait and lose their orders, and that the queue does neither", async () => {
    const ordersWhileDown = 6;
    const providerLatencyMs = 100;
    const { chains, paymentDown } = await lab.json<SyncAsyncReport>([
      ...["compare", "sync-async", "--rounds", "1", "--orders", "16"],
      ...["--clients", "8", "--provider-latency", String(providerLatencyMs)],
      ...["--orders-while-down", String(ordersWhileDown)],
    ]);
    expect(chains.async).toMatchObject({ accepted: 16, failed: 0 });
    expect(chains.sync).toMatchObject({ accepted: 16, failed: 0 });
    expect(chains.sync.latencyMs.p50).toBeGreaterThan(providerLatencyMs);
    expect(chains.async.latencyMs.p50).toBeLessThan(chains.sync.latencyMs.p50);
    expect(chains.async.ordersPerSecond).toBeGreaterThan(chains.sync.ordersPerSecond);
    expect(paymentDown.async).toMatchObject({
      accepted: ordersWhileDown,
      failed: 0,
      paidAfterwards: ordersWhileDown,
      lost: 0,
    });
    expect(paymentDown.sync).toMatchObject({
      accepted: 0,
      failed: ordersWhileDown,
      paidAfterwards: 0,
      lost: ordersWhileDown,
    });
    await expectAsBefore();
  });

  test("leaves everything as it was when it is interrupted while payment is down", async () => {
    const run = lab.start(["compare", "sync-async", "--rounds", "1", "--orders", "4"]) as ResultPromise<{
      reject: false;
    }>;
    for await (const line of run.iterable({ from: "stderr" })) {
      if (line.includes("payment is down")) {
        process.kill(-(run.pid as number), "SIGINT");
      }
    }
    expect((await run).exitCode).toBe(130);
    await expectAsBefore();
  });
});

test("bench orders gives every figure, and leaves nothing of its own stack", async () => {
  const before = await benchFolders();
  const { rounds, acceptToMailMs, ...result } = await lab.json<OrdersBenchmark>([
    ...["bench", "orders", "--instances", "2", "--round-ms", "200", "--warm-up-ms", "200"],
  ]);
  expect(rounds).toHaveLength(5);
  expect(Math.min(...rounds.map(({ ordersPerTransaction }) => ordersPerTransaction))).toBeGreaterThanOrEqual(
    1,
  );
  for (const figure of [
    result.ordersPerSecond,
    result.transactionsPerSecond,
    result.ratio,
    acceptToMailMs.p50,
  ]) {
    expect(figure).toBeGreaterThan(0);
  }
  expect(acceptToMailMs.p99).toBeGreaterThanOrEqual(acceptToMailMs.p50);
  expect(result.settings).toMatchObject({ flushAtCommit: 1, instances: 2 });
  expect(await benchFolders()).toEqual(before);
  await expectAsBefore();
});

/** Where stacks are that are measured. */
async function benchFolders(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("lab-bench-"));
}
