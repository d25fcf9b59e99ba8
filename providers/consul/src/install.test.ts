import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ProviderClient } from "../../base/src/client.ts";
import { consulPluginIsInstalled, installConsulPlugin } from "./install.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "lab it's a home "));
});

afterEach(() => rm(home, { recursive: true }));

test("the plugin is where Pulumi looks for @pulumi/consul's, of the version that package.json names", async () => {
  const file = join(import.meta.dirname, "..", "..", "..", "package.json");
  const version = JSON.parse(await readFile(file, "utf8")).dependencies["@pulumi/consul"];
  expect(consulPluginIsInstalled(home)).toBe(false);
  await installConsulPlugin(home);
  expect(consulPluginIsInstalled(home)).toBe(true);
  expect(await readdir(join(home, "plugins"))).toEqual([`resource-consul-v${version}`]);
});

test("what is installed starts as a provider", async () => {
  await installConsulPlugin(home);
  const [folder] = await readdir(join(home, "plugins"));
  const program = join(home, "plugins", folder as string, "pulumi-resource-consul");
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn(program, [], { stdio: ["ignore", "pipe", "inherit"], env: { PATH } });
  try {
    const [port] = await once(createInterface(child.stdout), "line");
    const client = new ProviderClient(Number(port));
    expect(await client.call("GetPluginInfo")).toEqual({ version: folder?.split("-v")[1] });
    client.close();
  } finally {
    child.kill();
    await once(child, "exit");
  }
});

test("an installation that was cut off is replaced", async () => {
  await installConsulPlugin(home);
  const [folder] = await readdir(join(home, "plugins"));
  const program = join(home, "plugins", folder as string, "pulumi-resource-consul");
  const whole = await readFile(program, "utf8");
  await mkdir(join(home, "plugins", folder as string, "left"));
  await writeFile(program, "");
  await chmod(program, 0o644);
  await installConsulPlugin(home);
  expect(await readFile(program, "utf8")).toBe(whole);
  expect(await readdir(join(home, "plugins"))).toEqual([folder]);
  expect(await readdir(join(home, "plugins", folder as string))).toEqual(["pulumi-resource-consul"]);
});
