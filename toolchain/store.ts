import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where an installed tool came from. */
export type Source = "path" | "release" | "registry";

/** What is known of an installed tool. It is written last: a folder without it is no installation. */
export interface ToolRecord {
  name: string;
  version: string;
  source: Source;
  /** A folder of the cache, or the place on PATH. */
  where: string;
  licence: string;
  /** Absolute paths by what they are for. */
  paths: Record<string, string>;
}

/** The cache that all checkouts share: `LAB_CACHE`, by default `~/.cache/polyglot-lab`. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  return resolve(environment.LAB_CACHE || join(homedir(), ".cache", "polyglot-lab"));
}

/** The folder of one version of a tool. */
export function toolFolder(cache: string, name: string, version: string): string {
  return join(cache, "tools", name, version);
}

/** The record of an installed tool; `undefined` when there is none, or its files are gone. */
export async function readRecord(
  cache: string,
  name: string,
  version: string,
): Promise<ToolRecord | undefined> {
  let record: ToolRecord;
  try {
    record = JSON.parse(await readFile(join(toolFolder(cache, name, version), "record.json"), "utf8"));
  } catch {
    return undefined;
  }
  return Object.values(record.paths).every((path) => existsSync(path)) ? record : undefined;
}

/**
 * Fills a folder aside, then renames it into place with its record: an interrupted installation leaves nothing that looks like
 * a whole one.
 *
 * @param fill fills the folder and says where in it things are (relative paths), or elsewhere (absolute ones)
 */
export async function installAside(
  cache: string,
  tool: { name: string; version: string; licence: string },
  fill: (folder: string) => Promise<{ source: Source; where?: string; paths: Record<string, string> }>,
): Promise<ToolRecord> {
  const final = toolFolder(cache, tool.name, tool.version);
  await mkdir(join(cache, "tools", tool.name), { recursive: true });
  const aside = await mkdtemp(join(cache, "tools", tool.name, `.${tool.version}-`));
  try {
    const { source, where = final, paths } = await fill(aside);
    const record: ToolRecord = {
      name: tool.name,
      version: tool.version,
      source,
      where,
      licence: tool.licence,
      paths: Object.fromEntries(Object.entries(paths).map(([use, path]) => [use, resolve(final, path)])),
    };
    await writeFile(join(aside, "record.json"), `${JSON.stringify(record, null, 2)}\n`);
    await rm(final, { recursive: true, force: true });
    await rename(aside, final);
    return record;
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
}
