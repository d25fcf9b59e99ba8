import { execFile } from "node:child_process";
import { hkdfSync } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Context } from "@lab/provider-base";
import { afterAll, beforeAll, expect, test } from "vitest";
import { derive, secretHandler } from "./secret.ts";

const context = {} as Context;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab secret "));
});

afterAll(() => rm(folder, { recursive: true }));

async function secretOf(keyFile: string, name: string, kind: "password" | "uuid" = "password") {
  const { outputs } = await secretHandler.create(context, { name, inputs: { keyFile, name, kind } });
  return outputs.value as string;
}

test("the same key and name give the same secret, another name or key another", async () => {
  const key = join(folder, "stable", ".key");
  const value = await secretOf(key, "mysql");
  expect(value).toMatch(/^[A-Za-z0-9_-]{32}$/);
  expect(await secretOf(key, "mysql")).toBe(value);
  expect(await secretOf(key, "neo4j")).not.toBe(value);
  expect(await secretOf(join(folder, "other", ".key"), "mysql")).not.toBe(value);
});

test("a secret outlives a new version of the lab: it is HKDF of the key with the name", () => {
  const key = Buffer.from("k".repeat(32));
  expect(derive(key, { name: "mysql", kind: "password" })).toBe(
    Buffer.from(hkdfSync("sha256", key, "", "polyglot-lab/mysql", 24)).toString("base64url"),
  );
});

test("a UUID is one of version 4, as Consul and Nomad want their tokens", async () => {
  expect(await secretOf(join(folder, "uuid", ".key"), "nomad-management", "uuid")).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test("the key file is its owner's alone, and stays when the secret is deleted", async () => {
  const key = join(folder, "mode", ".key");
  const value = await secretOf(key, "mysql");
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect((await stat(key)).size).toBe(32);
  await secretHandler.delete(context, { id: "mysql", inputs: {}, outputs: {} as never });
  expect(await secretOf(key, "mysql")).toBe(value);
});

test("processes that make the key at once agree on one, and leave nothing else behind", async () => {
  const keys = join(folder, "race");
  const program = `
    import { existsSync } from "node:fs";
    import { secretHandler } from ${JSON.stringify(join(import.meta.dirname, "secret.ts"))};
    const [keyFile, start] = process.argv.slice(1);
    console.error("ready");
    for (const end = Date.now() + 10_000; !existsSync(start) && Date.now() < end; );
    const inputs = { keyFile, name: "mysql", kind: "password" };
    const { outputs } = await secretHandler.create({}, { name: "mysql", inputs });
    console.log(outputs.value);`;
  const start = join(folder, "start");
  const args = ["--input-type=module", "-e", program, join(keys, ".key"), start];
  const racers = Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, args));
  await Promise.all(racers.map(({ child }) => new Promise((resolve) => child.stderr?.once("data", resolve))));
  await writeFile(start, "");
  const values = (await Promise.all(racers)).map(({ stdout }) => stdout.trim());
  expect(new Set(values).size, values.join()).toBe(1);
  expect(values[0]).toHaveLength(32);
  expect(await readdir(keys)).toEqual([".key"]);
});

test("a key that can't be read is an error, never replaced by a new one", async () => {
  const key = join(folder, "directory", ".key");
  await mkdir(key, { recursive: true });
  await expect(secretOf(key, "mysql")).rejects.toThrow(/EISDIR/);
  await writeFile(join(folder, "file"), "x");
  await expect(secretOf(join(folder, "file", ".key"), "mysql")).rejects.toThrow(/ENOTDIR/);
  expect(await readFile(join(folder, "file"), "utf8")).toBe("x");
});
