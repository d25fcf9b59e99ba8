import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../tests/support/until.ts";
import { runApart } from "./run-apart.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "run-apart-"));
});

afterEach(() => rm(folder, { recursive: true }));

/** Says when it runs; once interrupted, cleans up before it ends. */
const script = `
trap 'echo cleaned-up >>"$1"; exit 0' INT
echo runs >>"$1"
while :; do sleep 0.05; done`;

test("an interrupted program ends in its own way before anything else is done", async () => {
  const file = join(folder, "said");
  const said = () => readFile(file, "utf8").catch(() => "");
  const controller = new AbortController();
  const run = runApart("sh", ["-c", script, "sh", file], controller.signal);
  await until("the program to run", async () => (await said()).includes("runs"));
  controller.abort();
  await expect(run).rejects.toThrow("aborted");
  expect(await said()).toBe("runs\ncleaned-up\n");
});

test("the terminal's Ctrl-C is none of its business: it has a process group of its own", async () => {
  const { exitCode } = await runApart("sh", ["-c", "kill -INT 0"], new AbortController().signal);
  expect(exitCode).toBe(undefined);
});

test("after the interruption nothing more is started", async () => {
  await expect(runApart("false", [], AbortSignal.abort())).rejects.toThrow("aborted");
});
