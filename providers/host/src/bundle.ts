import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type Change, compare, type ResourceHandler } from "@lab/provider-base";
import { build as esbuild } from "esbuild";
import { pack } from "tar-stream";
import { z } from "zod";
import { appearance, type BundleSource, recordBundle, recordedDigest } from "./bundle-record.ts";
import { ownMap } from "./own-map.ts";

/** The names that the program and its map have in the archive. */
const [programName, mapName] = ["main.js", "main.js.map"];

const assetName = z
  .string()
  .regex(/^[\w-][\w.-]*$/, "must be a file name without a folder")
  .refine((name) => name !== programName && name !== mapName, "is the name of the program or its map");

const inputsSchema = z.strictObject({
  name: z.string().min(1),
  entry: z.string().min(1),
  assets: z.record(assetName, z.string().min(1)).optional(),
  releases: z.string().min(1),
  /** Filled in by `check`, so that a preview shows which services an edit changes. */
  digest: z.string().optional(),
});

type Inputs = z.infer<typeof inputsSchema>;
type Outputs = Inputs & { digest: string; archive: string };

/** CommonJS dependencies of an ES module may still call `require`. */
const banner = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

/** `host:index/bundle:Bundle`: a service as one content-addressed archive. */
export const bundleHandler: ResourceHandler<Inputs, Outputs> = {
  type: "host:index/bundle:Bundle",
  inputs: inputsSchema,

  async check(_context, inputs) {
    return {
      ...inputs,
      digest: recordedDigest(inputs.releases, inputs) ?? (await bundle(inputs)).digest,
    };
  },

  async diff(_context, { oldInputs, olds, news }) {
    const changes: Record<string, Change> = compare(oldInputs, news);
    if (!existsSync(olds.archive)) {
      changes.archive = "update";
    }
    return { changes };
  },

  async create(_context, { name, inputs }) {
    return { id: name, outputs: await release(inputs) };
  },

  async update(_context, { inputs }) {
    return { outputs: await release(inputs) };
  },

  /** An archive stays: another stack may run the same digest. */
  async delete() {},
};

async function release(inputs: Inputs): Promise<Outputs> {
  const recorded = recordedDigest(inputs.releases, inputs);
  if (recorded !== undefined && existsSync(archiveFile(inputs.releases, recorded))) {
    return { ...inputs, digest: recorded, archive: archiveFile(inputs.releases, recorded) };
  }
  const built = recorded === undefined ? undefined : builtBefore.get(recorded);
  const { digest, archive } = built ? { digest: recorded as string, archive: built } : await bundle(inputs);
  builtBefore.delete(digest);
  const file = archiveFile(inputs.releases, digest);
  if (!existsSync(file)) {
    await mkdir(inputs.releases, { recursive: true });
    await writeFile(`${file}.${process.pid}.new`, archive);
    await rename(`${file}.${process.pid}.new`, file);
  }
  return { ...inputs, digest, archive: file };
}

/** What `check` has built, for the `create` or `update` that may follow in the same process. */
const builtBefore = new Map<string, Buffer>();

/** How much older than the clock the kernel's time stamps of files may be. */
const timestampLagNs = 20_000_000n;

/** Bundles, and remembers what was read for it. */
async function bundle(source: Inputs): Promise<{ digest: string; archive: Buffer }> {
  const startedNs = BigInt(Date.now()) * 1_000_000n - timestampLagNs;
  const { archive, inputs } = await build(source);
  const digest = digestOf(archive);
  const appearances = Object.fromEntries(inputs.map((file) => [file, appearance(file)]));
  // A file that was written while it was bundled may have been read before or after.
  if (Object.values(appearances).every((text) => BigInt(text.split(" ")[0] as string) < startedNs)) {
    recordBundle(source.releases, source, digest, appearances);
  }
  builtBefore.set(digest, archive);
  return { digest, archive };
}

function archiveFile(releases: string, digest: string): string {
  return join(releases, `${digest}.tar.gz`);
}

/**
 * Bundles an entry point with everything it imports into a `.tar.gz` of `main.js` and its source map, which knows the checkout's own files. The same sources
 * give the same bytes wherever the checkout lies: no time, owner or absolute path goes in.
 */
export async function archiveOf(entry: string): Promise<Buffer> {
  return (await build({ entry })).archive;
}

async function build({ entry, assets = {} }: BundleSource): Promise<{ archive: Buffer; inputs: string[] }> {
  const { outputFiles, metafile } = await esbuild({
    entryPoints: [entry],
    absWorkingDir: dirname(entry),
    outfile: programName,
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "esm",
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    charset: "utf8",
    banner: { js: banner },
    logLevel: "silent",
    metafile: true,
  });
  const archive = pack();
  for (const { path, contents } of outputFiles.sort((one, other) => one.path.localeCompare(other.path))) {
    const isMap = path.endsWith(".map");
    archive.entry(
      entryOf(isMap ? mapName : programName),
      isMap ? ownMap(Buffer.from(contents).toString()) : Buffer.from(contents),
    );
  }
  for (const [name, file] of Object.entries(assets).sort(([one], [other]) => (one < other ? -1 : 1))) {
    archive.entry(entryOf(name), await readAsset(name, file));
  }
  archive.finalize();
  const imported = Object.keys(metafile.inputs).map((file) => resolve(dirname(entry), file));
  return {
    archive: await promisify(gzip)(await buffer(archive), { level: 9 }),
    inputs: [...imported, ...Object.values(assets)],
  };
}

/** No time or owner, so that the same sources give the same bytes. */
function entryOf(name: string) {
  return { name, mtime: new Date(0), mode: 0o644 };
}

async function readAsset(name: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Error(`The file ${name} of the bundle can't be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function digestOf(archive: Buffer): string {
  return createHash("sha256").update(archive).digest("hex");
}
