import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { commandOf, type Identity, identify, isAlive, readProc } from "./identity.ts";

let child: ChildProcess | undefined;

afterEach(() => child?.kill("SIGKILL"));

async function run(command: string, ...args: string[]): Promise<number> {
  child = spawn(command, args, { stdio: "ignore" });
  await once(child, "spawn");
  return child.pid as number;
}

test("a process is itself as long as it lives", async () => {
  const pid = await run("sleep", "60");
  const identity = identify(pid) as Identity;
  expect(identity).toMatchObject({ pid, startTicks: expect.stringMatching(/^\d+$/) });
  expect(isAlive(identity)).toBe(true);
  child?.kill("SIGKILL");
  await once(child as ChildProcess, "exit");
  expect(isAlive(identity)).toBe(false);
  expect(identify(pid)).toBeUndefined();
});

test("another process of the same pid is another one: by its start, and by the boot", () => {
  const identity = identify(process.pid) as Identity;
  expect(isAlive({ ...identity, startTicks: "1" })).toBe(false);
  expect(isAlive({ ...identity, bootId: "00000000-0000-0000-0000-000000000000" })).toBe(false);
});

test("a command's name may look like the fields that follow it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lab identity "));
  try {
    const program = join(folder, "a) Z 1 (b");
    await copyFile("/bin/sleep", program);
    const pid = await run(program, "60");
    expect(readProc(pid, "stat")).toContain("(a) Z 1 (b)");
    expect(identify(pid)).toMatchObject({ pid, startTicks: identify(pid)?.startTicks });
    expect(Number(identify(pid)?.startTicks)).toBeGreaterThanOrEqual(
      Number(identify(process.pid)?.startTicks),
    );
    expect(commandOf(pid)).toBe(`${program} 60`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a zombie is not a process any more", async () => {
  // The shell's child ends, and the program that took the shell's place never asks for its status.
  const pid = await run("sh", "-c", "sh -c 'exit 0' & exec sleep 60");
  let zombie: number | undefined;
  await until("the child to be a zombie", () => {
    zombie = Number(readProc(pid, `task/${pid}/children`)?.trim());
    return readProc(zombie, "stat")?.includes(") Z ") === true;
  });
  expect(identify(zombie as number)).toBeUndefined();
});
