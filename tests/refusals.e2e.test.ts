import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { portsOf } from "../infra/ports.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";

let lab: ThrowawayLab;
let scratch: string;

beforeAll(async () => {
  lab = await createThrowawayLab("refused");
  scratch = await mkdtemp(join(tmpdir(), "lab refusals "));
});

afterAll(async () => {
  await lab?.remove();
  await rm(scratch, { recursive: true, force: true });
});

/** A command in a mount namespace of its own, where root or not it may mount things. */
async function inOwnMounts(prepare: string, args: string[]) {
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return execa(
    "unshare",
    [...asRoot, "--mount", "sh", "-ec", `${prepare}\nexec "$0" "$@"`, join(lab.root, "lab"), ...args],
    {
      env: { ...lab.environment, SCRATCH: scratch },
      reject: false,
      stdin: "ignore",
    },
  );
}

test("a taken port is refused with the process that holds it, and nothing is made", async () => {
  const server = createServer();
  const { mysql } = portsOf(lab.portBase);
  await once(server.listen(mysql, "127.0.0.1"), "listening");
  try {
    const { exitCode, stderr } = await lab.lab(["up"]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`port ${mysql} is taken by process ${process.pid}`);
    expect(stderr).toContain("lab:portBase");
    expect(existsSync(lab.home)).toBe(false);
    const doctor = await lab.lab(["doctor"]);
    expect(doctor.exitCode).toBe(3);
    expect(doctor.stdout).toContain(`port ${mysql} is taken by process ${process.pid}`);
  } finally {
    server.close();
  }
});

describe("a configuration that can't be used", () => {
  test.each([
    [{ portBase: "abc" }, "lab:portBase: must be a port number"],
    [{ substrate: "moon" }, "lab:substrate"],
    [{ protBase: "1" }, "lab:protBase"],
    [{ instances: { gateway: -1 } }, "lab:instances.gateway"],
  ])("%j", async (settings, said) => {
    await lab.configure(settings);
    try {
      const { exitCode, stderr } = await lab.lab(["up"]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(said);
      expect(existsSync(lab.home)).toBe(false);
    } finally {
      await lab.configure({});
    }
  });

  test("a file that is no YAML", async () => {
    const file = join(scratch, "Pulumi.broken.yaml");
    await writeFile(file, "config: {");
    const { exitCode, stderr } = await lab.lab(["up"], { env: { LAB_CONFIG: file } });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(file);
  });
});

test("a full disk is refused before anything is made", async () => {
  const { exitCode, stderr } = await inOwnMounts(
    'mkdir -p "$LAB_HOME" && mount -t tmpfs -o size=8m tmpfs "$LAB_HOME"',
    ["up"],
  );
  expect(stderr).toContain("of disk are free");
  expect(exitCode).toBe(3);
});

test("too little memory is refused", async () => {
  await writeFile(join(scratch, "meminfo"), "MemTotal: 1000000 kB\nMemAvailable: 500000 kB\n");
  const { exitCode, stderr } = await inOwnMounts('mount --bind "$SCRATCH/meminfo" /proc/meminfo', ["up"]);
  expect(stderr).toContain("0.5 GiB of memory are available");
  expect(exitCode).toBe(3);
});

test("a tool that can't be had is named, with what was tried and what to do", async () => {
  const path = await pathWithout(["apt-get", "mariadbd", "go"]);
  const { exitCode, stderr } = await lab.lab(["toolchain", "install", "mysql"], {
    env: { LAB_CACHE: join(scratch, "cache"), PATH: path },
  });
  expect(stderr).toMatch(/mysql 10\.11 could not be had/);
  expect(stderr).toContain("PATH: no mysql 10.11");
  expect(stderr).toContain("the distribution's packages");
  expect(exitCode).toBe(3);
});

/** A PATH with all programs of this machine but some. */
async function pathWithout(names: string[]): Promise<string> {
  const folder = join(scratch, "bin");
  await mkdir(folder);
  for (const source of (process.env.PATH ?? "").split(":").filter((entry) => existsSync(entry))) {
    for (const name of await readdir(source)) {
      if (!names.includes(name) && !existsSync(join(folder, name))) {
        await symlink(join(source, name), join(folder, name));
      }
    }
  }
  return folder;
}

test("a command line that is wrong says what is right", async () => {
  for (const args of [
    ["frobnicate"],
    ["query", "oracle", "SELECT 1"],
    ["up", "--stack", "Not A Name"],
    ["logs"],
  ]) {
    const { exitCode, stderr } = await lab.lab(args);
    expect(exitCode, args.join(" ")).toBe(2);
    expect(stderr).not.toBe("");
  }
});

test("a command line that is wrong is an error for machines too", async () => {
  const { exitCode, stdout } = await lab.lab(["query", "oracle", "SELECT 1", "--json"]);
  expect(exitCode).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "usage" } });
});

test("an environment that is not up is said to be so, with the remedy, also as JSON", async () => {
  const { exitCode, stdout } = await lab.lab(["status", "--json"]);
  expect(exitCode).toBe(3);
  expect(JSON.parse(stdout)).toEqual({
    ok: false,
    error: {
      code: "not-up",
      message: expect.stringContaining("refused"),
      remedy: expect.stringContaining("./lab up"),
    },
  });
});

test("destroy keeps the checkout's configuration of the stack", async () => {
  const config = { LAB_STACK: "kept", LAB_CONFIG: join(lab.root, "Pulumi.kept.yaml") };
  await writeFile(config.LAB_CONFIG, JSON.stringify({ config: { "lab:portBase": String(lab.portBase) } }));
  // `lab env` makes the stack, and nothing in it.
  expect((await lab.lab(["env"], { env: config })).exitCode).toBe(0);
  const { exitCode, stderr } = await lab.lab(["destroy", "--yes"], { env: config });
  expect(exitCode, stderr).toBe(0);
  expect(existsSync(config.LAB_CONFIG)).toBe(true);
});

test("destroy without a confirmation removes nothing", async () => {
  const { exitCode, stderr } = await lab.lab(["destroy"]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("--yes");
});
