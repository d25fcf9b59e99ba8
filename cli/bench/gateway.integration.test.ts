import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processesOf } from "../../providers/host/src/stop.ts";
import { until } from "../../tests/support/until.ts";
import { contestantNames } from "./gateway/summary.ts";
import type { GatewayBenchmark } from "./gateway.ts";

const main = resolve(import.meta.dirname, "..", "main.ts");
const short = ["--rounds", "2", "--seconds", "1", "--warm-up-seconds", "1", "--connections", "4"];

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bench gateway "));
});

afterEach(() => rm(folder, { recursive: true }));

function bench(...options: string[]) {
  return execa(
    process.execPath,
    [main, "bench", "gateway", ...short, "--idle-connections", "20", ...options],
    {
      env: { TMPDIR: folder },
      reject: false,
      stdin: "ignore",
    },
  );
}

test("every proxy is measured in every round, and nothing of it is left", async () => {
  const { stdout, stderr } = await bench("--json");
  const { ok, data } = JSON.parse(stdout) as { ok: boolean; data: GatewayBenchmark };
  expect(ok, stderr).toBe(true);
  expect(data.rounds).toHaveLength(2);
  for (const round of data.rounds) {
    expect(Object.keys(round).toSorted()).toEqual(contestantNames.toSorted());
  }
  for (const name of contestantNames) {
    const { p50, p99, "p99.9": p999 } = data.latencyMs[name];
    expect(data.requestsPerSecond[name]).toBeGreaterThan(0);
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(p999).toBeGreaterThanOrEqual(p99);
    expect(data.idleMemory.bytesPer1000Connections[name]).toBeTypeOf("number");
  }
  for (const { throughput, p99 } of Object.values(data.ratios)) {
    expect(throughput).toBeGreaterThan(0);
    expect(p99).toBeGreaterThan(0);
  }
  expect(data.processes[1]).toBeGreaterThan(0);
  expect(data.processes[2]).toBeGreaterThan(0);
  for (const costs of Object.values(data.picks)) {
    expect(Object.keys(costs)).toEqual(["10", "100", "1000", "10000"]);
  }
  expect(await readdir(folder)).toEqual([]);
  expect(processesOf(folder)).toEqual([]);
});

test("Ctrl-C ends everything that it has started", async () => {
  const run = bench("--warm-up-seconds", "60");
  await until("all proxies to run", async () => {
    const [scene] = await readdir(folder);
    return (await readdir(join(folder, scene as string))).includes("fastify-proxy.log");
  });
  run.kill("SIGINT");
  expect((await run).exitCode).toBe(130);
  expect(await readdir(folder)).toEqual([]);
  expect(processesOf(folder)).toEqual([]);
});

test("the gateway's profile stays, where it says", async () => {
  const { stdout, stderr } = await bench("--cpu-prof", "--rounds", "1", "--json");
  const { data } = JSON.parse(stdout) as { data: GatewayBenchmark };
  expect(data?.profileFolder, stderr).toMatch(/\/lab-cpu-prof-/);
  expect(await readdir(data.profileFolder as string)).toEqual([
    expect.stringMatching(/^CPU\..*\.cpuprofile$/),
  ]);
});
