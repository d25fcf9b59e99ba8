import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type Change, compare, type ResourceHandler } from "@lab/provider-base";
import { build } from "esbuild";
import { pack } from "tar-stream";
import { z } from "zod";

const inputsSchema = z.strictObject({
  name: z.string().min(1),
  entry: z.string().min(1),
  releases: z.string().min(1),
  /** Filled in by `check`, so that a preview shows which services an edit changes. */
  digest: z.string().optional(),
});

type Inputs = z.infer<typeof inputsSchema>;
type Outputs = Required<Inputs> & { archive: string };

/** CommonJS dependencies of an ES module may still call `require`. */
const banner = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

/** `host:index/bundle:Bundle`: a service as one content-addressed archive. */
export const bundleHandler: ResourceHandler<Inputs, Outputs> = {
  type: "host:index/bundle:Bundle",
  inputs: inputsSchema,

  async check(_context, inputs) {
    return { ...inputs, digest: digestOf(await archiveOf(inputs.entry)) };
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
  const archive = await archiveOf(inputs.entry);
  const digest = digestOf(archive);
  const file = join(inputs.releases, `${digest}.tar.gz`);
  if (!existsSync(file)) {
    await mkdir(inputs.releases, { recursive: true });
    await writeFile(`${file}.${process.pid}.new`, archive);
    await rename(`${file}.${process.pid}.new`, file);
  }
  return { ...inputs, digest, archive: file };
}

/**
 * Bundles an entry point with everything it imports into a `.tar.gz` of `main.js` and its source map. The same sources
 * give the same bytes wherever the checkout lies: no time, owner or absolute path goes in.
 */
export async function archiveOf(entry: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: dirname(entry),
    outfile: "main.js",
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
  });
  const archive = pack();
  for (const { path, contents } of outputFiles.sort((one, other) => one.path.localeCompare(other.path))) {
    const name = path.endsWith(".map") ? "main.js.map" : "main.js";
    archive.entry({ name, mtime: new Date(0), mode: 0o644 }, Buffer.from(contents));
  }
  archive.finalize();
  return promisify(gzip)(await buffer(archive), { level: 9 });
}

function digestOf(archive: Buffer): string {
  return createHash("sha256").update(archive).digest("hex");
}
