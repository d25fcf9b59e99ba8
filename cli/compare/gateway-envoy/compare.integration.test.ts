import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processesOf } from "../../../providers/host/src/stop.ts";
import type { GatewayEnvoyComparison } from "./compare.ts";
import { failedShare } from "./shares.ts";

const main = resolve(import.meta.dirname, "..", "..", "main.ts");

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "compare gateway "));
});

afterEach(() => rm(folder, { recursive: true }));

function compare(...options: string[]) {
  return execa(process.execPath, [main, "compare", "gateway-envoy", ...options, "--json"], {
    env: { TMPDIR: folder },
    reject: false,
    stdin: "ignore",
  });
}

test("five of ten instances die: the gateway's callers hardly notice, stock settings and balancing alone lose every other request or more", async () => {
  const { exitCode, stdout, stderr } = await compare("--seconds", "7", "--bare", "least-connections");
  expect(exitCode, `${stdout}\n${stderr}`).toBe(0);
  const { data } = JSON.parse(stdout) as { data: GatewayEnvoyComparison };
  expect(data.holds).toBe(true);
  const failedAfter: Record<string, number> = {};
  for (const { name, course } of data.rivals) {
    expect(course.seconds).toHaveLength(7);
    expect(course.before, name).toMatchObject({ failed: 0 });
    failedAfter[name] = failedShare(course.after);
  }
  expect(failedAfter.gateway).toBeLessThan(0.01);
  // One of ten is ejected, and four of the nine that are left are dead.
  for (const name of ["gatewayStock", "envoyStock"]) {
    expect(failedAfter[name], name).toBeGreaterThan(0.35);
    expect(failedAfter[name], name).toBeLessThan(0.5);
  }
  // Who fails at once is free again at once, and gets the next one.
  expect(failedAfter["least-connections"]).toBeGreaterThan(0.6);
  expect(await readdir(folder)).toEqual([]);
  expect(processesOf(folder)).toEqual([]);
});

test("who would kill all instances is told that it proves nothing", async () => {
  const { exitCode, stdout } = await compare("--instances", "3", "--dead", "3");
  expect(exitCode).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "compare-options" } });
});
