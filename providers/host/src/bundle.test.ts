import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import type { Context } from "@lab/provider-base";
import { extract } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundleHandler } from "./bundle.ts";

const handler = bundleHandler as Required<typeof bundleHandler>;

const context = {} as Context;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab bundle "));
  await writeService(join(folder, "checkout"));
});

afterEach(() => rm(folder, { recursive: true }));

/** A service that imports from its own folder, from beside it, and CommonJS from `node_modules`. */
async function writeService(checkout: string): Promise<void> {
  const files = {
    "services/web/src/main.ts": `
      import { greet } from "./greet.ts";
      import { shout } from "../../../packages/shout.ts";
      import legacy from "legacy";
      const answer: string = shout(greet("you"));
      console.log(answer, legacy.sep());`,
    "services/web/src/greet.ts": "export const greet = (who: string) => `hello ${who}`;",
    "packages/shout.ts": "export const shout = (text: string) => text.toUpperCase();",
    "node_modules/legacy/package.json": `{ "name": "legacy", "main": "index.js" }`,
    "node_modules/legacy/index.js": `const path = require("path"); exports.sep = () => path.sep;`,
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(checkout, name, ".."), { recursive: true });
    await writeFile(join(checkout, name), content);
  }
}

function inputsOf(checkout: string, releases = join(folder, "releases")) {
  return { name: "web", entry: join(folder, checkout, "services/web/src/main.ts"), releases };
}

async function digestOf(checkout: string): Promise<string | undefined> {
  return (await handler.check(context, inputsOf(checkout))).digest;
}

async function unpack(archive: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const entry of createReadStream(archive).pipe(createGunzip()).pipe(extract())) {
    files[entry.header.name] = await text(entry);
  }
  return files;
}

test("the archive is named by its digest and holds a program that runs", async () => {
  const { id, outputs } = await handler.create(context, { name: "web", inputs: inputsOf("checkout") });
  expect(id).toBe("web");
  expect(outputs.archive).toBe(join(folder, "releases", `${outputs.digest}.tar.gz`));
  const digest = createHash("sha256")
    .update(await readFile(outputs.archive))
    .digest("hex");
  expect(outputs.digest).toBe(digest);
  expect(await readdir(join(folder, "releases"))).toEqual([`${digest}.tar.gz`]);

  const files = await unpack(outputs.archive);
  expect(Object.keys(files).sort()).toEqual(["main.js", "main.js.map"]);
  const program = join(folder, "unpacked.mjs");
  await writeFile(program, files["main.js"] as string);
  expect(execFileSync(process.execPath, [program], { encoding: "utf8" })).toBe("HELLO YOU /\n");
});

test("a stack names the checkout's own lines, and nobody else's", async () => {
  const checkout = join(folder, "checkout");
  await writeFile(
    join(checkout, "services/web/src/main.ts"),
    `import { twice } from "legacy";\n\nfunction broken(): void {\n  throw new Error("on purpose");\n}\ntwice(broken);`,
  );
  await writeFile(
    join(checkout, "node_modules/legacy/index.js"),
    "exports.twice = (call) => {\n  call();\n  call();\n};",
  );
  const { outputs } = await handler.create(context, { name: "web", inputs: inputsOf("checkout") });
  const files = await unpack(outputs.archive);
  for (const [name, content] of Object.entries({ ...files, "package.json": '{"type": "module"}' })) {
    await writeFile(join(folder, name), content);
  }
  const { stderr } = spawnSync(process.execPath, ["--enable-source-maps", join(folder, "main.js")], {
    encoding: "utf8",
  });
  const frames = stderr.match(/^ +at .*$/gm) ?? [];
  expect(frames[0]).toMatch(/broken .*main\.ts:4:9\)/);
  expect(frames[1]).toMatch(/twice .*main\.js:\d+:\d+\)/);
  expect(frames[2]).toMatch(/main\.ts:6:1\)/);
  expect(files["main.js.map"]).not.toContain("legacy");
});

test("the same sources give the same digest, a second time and in another folder", async () => {
  const digest = await digestOf("checkout");
  expect(await digestOf("checkout")).toBe(digest);
  await cp(join(folder, "checkout"), join(folder, "deeper", "copy"), { recursive: true });
  expect(await digestOf("deeper/copy")).toBe(digest);
});

test("no path of this machine goes into the archive", async () => {
  const { outputs } = await handler.create(context, { name: "web", inputs: inputsOf("checkout") });
  for (const content of Object.values(await unpack(outputs.archive))) {
    expect(content).not.toContain(folder);
    expect(content).not.toContain(tmpdir());
  }
});

test("a change in anything that it imports gives another digest, and a preview shows it", async () => {
  const { outputs } = await handler.create(context, { name: "web", inputs: inputsOf("checkout") });
  const { archive: _archive, ...oldInputs } = outputs;
  const unchanged = await handler.check(context, inputsOf("checkout"));
  expect(await handler.diff(context, { id: "web", olds: outputs, oldInputs, news: unchanged })).toEqual({
    changes: {},
  });
  await writeFile(join(folder, "checkout/packages/shout.ts"), "export const shout = (text: string) => text;");
  const news = await handler.check(context, inputsOf("checkout"));
  expect(news.digest).not.toBe(outputs.digest);
  expect(await handler.diff(context, { id: "web", olds: outputs, oldInputs, news })).toEqual({
    changes: { digest: "update" },
  });
  const updated = await handler.update(context, {
    id: "web",
    olds: outputs,
    oldInputs,
    inputs: news,
  });
  expect(updated.outputs.digest).toBe(news.digest);
  // Another stack may still run the old one.
  expect(await readdir(join(folder, "releases"))).toHaveLength(2);
});

test("an archive that was removed is made again", async () => {
  const { outputs } = await handler.create(context, { name: "web", inputs: inputsOf("checkout") });
  const { archive, ...inputs } = outputs;
  await rm(archive);
  const args = { id: "web", olds: outputs, oldInputs: inputs };
  expect(await handler.diff(context, { ...args, news: inputs })).toEqual({
    changes: { archive: "update" },
  });
  await handler.update(context, { ...args, inputs });
  expect(
    createHash("sha256")
      .update(await readFile(archive))
      .digest("hex"),
  ).toBe(outputs.digest);
});

test("a source that can't be bundled is named with its line, and nothing is released", async () => {
  await writeFile(join(folder, "checkout/services/web/src/greet.ts"), "export const greet = ;\n");
  await expect(digestOf("checkout")).rejects.toThrow(/greet\.ts:1:21/);
  await rm(join(folder, "checkout/services/web/src/greet.ts"));
  const call = handler.create(context, { name: "web", inputs: inputsOf("checkout") });
  await expect(call).rejects.toThrow(/Could not resolve "\.\/greet\.ts"/);
  await expect(readdir(join(folder, "releases"))).rejects.toThrow(/ENOENT/);
});

test("an unchanged service is not bundled again, a changed one is", async () => {
  const inputs = inputsOf("checkout");
  const source = join(folder, "checkout/packages/shout.ts");
  // Files that are as new as the bundle may have changed while it was made.
  await aged(join(folder, "checkout"));
  const { digest } = await handler.check(context, inputs);
  const record = join(
    inputs.releases,
    "records",
    (await readdir(join(inputs.releases, "records")))[0] as string,
  );
  const recorded = await readFile(record, "utf8");
  await writeFile(record, recorded.replace(digest as string, "f".repeat(64)));
  expect((await handler.check(context, inputs)).digest).toBe("f".repeat(64));
  await writeFile(source, `${await readFile(source, "utf8")}\nexport const more = 1;`);
  expect((await handler.check(context, inputs)).digest).toBe(digest);
});

test("a file that is named lies beside the program, and a change of it gives another digest", async () => {
  const page = join(folder, "checkout/node_modules/legacy/page.js");
  await writeFile(page, "one");
  await aged(join(folder, "checkout"));
  const bare = await digestOf("checkout");
  const inputs = { ...inputsOf("checkout"), assets: { "page.js": page } };
  const { outputs } = await handler.create(context, { name: "web", inputs });
  const files = await unpack(outputs.archive);
  expect(Object.keys(files)).toEqual(["main.js", "main.js.map", "page.js"]);
  expect(files["page.js"]).toBe("one");
  expect(outputs.digest).not.toBe(bare);
  expect((await handler.check(context, inputs)).digest).toBe(outputs.digest);
  await writeFile(page, "two");
  expect((await handler.check(context, inputs)).digest).not.toBe(outputs.digest);
  expect(await digestOf("checkout")).toBe(bare);
});

test("a file that is not there is named, with where it was looked for", async () => {
  const assets = { "page.js": join(folder, "checkout/node_modules/page.js") };
  const call = handler.check(context, { ...inputsOf("checkout"), assets });
  await expect(call).rejects.toThrow(/file page\.js of the bundle.*node_modules\/page\.js/);
});

test.each(["main.js", "main.js.map", "../page.js", ""])("no file can be called %j", (name) => {
  const assets = { [name]: join(folder, "checkout/packages/shout.ts") };
  expect(handler.inputs.safeParse({ ...inputsOf("checkout"), assets }).success).toBe(false);
});

async function aged(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true })) {
    await utimes(join(folder, entry), 1_700_000_000, 1_700_000_000);
  }
}
