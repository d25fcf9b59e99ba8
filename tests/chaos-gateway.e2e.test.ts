import type { ResultPromise } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { summaryOf } from "../cli/chaos/gateway/report.ts";
import type { StatusReport } from "../cli/commands/status.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";

let lab: ThrowawayLab;

beforeAll(async () => {
  lab = await createThrowawayLab("restless");
  await lab.json(["up"]);
});

afterAll(() => lab?.remove());

/** One instance of each, all healthy, and nothing left of the versions that were deployed. */
async function expectAsBefore(): Promise<void> {
  const { jobs } = await lab.json<StatusReport>(["status"]);
  expect(jobs.filter(({ state }) => state === "unhealthy")).toEqual([]);
  for (const name of ["gateway", "user", "product", "cart", "order"]) {
    expect(jobs.find((job) => job.name === name)?.instances, name).toBe(1);
  }
  const { exitCode, stdout } = await lab.lab(["up"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("Nothing to change");
}

test("users notice nothing of instances that come and go, but the few requests that a kill -9 may cost", async () => {
  const users = 30;
  const report = await lab.json<ReturnType<typeof summaryOf>>([
    ...["chaos", "gateway", "--users", String(users), "--seconds", "60", "--seed", "3"],
  ]);
  expect(report.unexplained).toBe(0);
  expect(report.requests).toBeGreaterThan(500);
  expect(report.statuses["429"]).toBeUndefined();
  expect(new Set(report.events.map(({ kind }) => kind))).toEqual(
    new Set(["stop", "start", "kill", "deploy"]),
  );
  for (const { count } of report.explained) {
    expect(count).toBeLessThanOrEqual(users);
  }
  expect(report.failed).toBe(report.explained.reduce((sum, { count }) => sum + count, 0));
  await expectAsBefore();
});

test("all is as before when it is interrupted", async () => {
  const run = lab.start(["chaos", "gateway", "--users", "5", "--seed", "1"]) as ResultPromise<{
    reject: false;
  }>;
  let isSent = false;
  for await (const line of run.iterable({ from: "stderr" })) {
    if (!isSent && line.includes("deploy of")) {
      isSent = true;
      process.kill(-(run.pid as number), "SIGINT");
    }
  }
  expect(isSent).toBe(true);
  expect((await run).exitCode).toBe(130);
  await expectAsBefore();
});
