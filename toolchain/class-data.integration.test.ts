import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveClasses } from "./class-data.ts";
import { installTools } from "./install.ts";
import { locateTools, type Tools, tools } from "./tools.ts";

let folder: string;
let installed: Tools;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "class-data-test-"));
  await installTools();
  installed = await locateTools();
});

afterAll(() => rm(folder, { recursive: true }));

test.each([
  ["neo4j", "org.neo4j.server.CommunityEntryPoint"],
  ["cassandra", "org.apache.cassandra.service.CassandraDaemon"],
] as const)("%s starts from the archive of its classes, and only the archive is left", async (name, main) => {
  const recipe = tools.find((tool) => tool.name === name)?.recipe;
  if (recipe?.kind !== "maven") {
    expect.unreachable(`${name} is made of jars`);
  }
  // Java 17 archives nothing from a path with a space: the cache may have one, this link has none.
  const lib = join(folder, name);
  await symlink(installed[name].lib, lib);
  const archive = join(folder, `${name}.jsa`);
  const work = await mkdtemp(join(folder, "work-"));
  await archiveClasses(
    { ...recipe.trial, configuration: join(import.meta.dirname, recipe.trial.configuration) },
    { java: installed.java, lib, archive, work },
  );
  expect(await readdir(work)).toEqual([]);

  // One tells its version, the other ends for want of a configuration; by then the main class is loaded.
  const { all } = await execa(
    installed.java,
    [`-XX:SharedArchiveFile=${archive}`, "-Xlog:class+load", "-cp", `${lib}/*`, main, "--version"],
    { all: true, reject: false, cwd: work, timeout: 20_000 },
  );
  expect(all.split("\n").find((line) => line.includes(` ${main} source: `))).toContain(
    "source: shared objects file (top)",
  );
});

test("a server that doesn't start leaves no archive, and its words are in the error", async () => {
  const archive = join(folder, "none.jsa");
  await expect(
    archiveClasses(
      { configuration: join(import.meta.dirname, "neo4j", "trial"), started: /Started\.$/m },
      { java: installed.java, lib: join(folder, "no-jars"), archive, work: folder },
    ),
  ).rejects.toThrow(/ClassNotFoundException: org\.neo4j\.server\.CommunityEntryPoint/);
  expect(existsSync(archive)).toBe(false);
});
