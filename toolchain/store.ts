import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
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
  /** Size and time of change of what isn't the cache's own, by path: an upgrade in its place is another tool. */
  seen?: Record<string, string>;
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
  const whole = Object.values(record.paths).every((path) => existsSync(path));
  const unchanged = Object.entries(record.seen ?? {}).every(([path, seen]) => look(path) === seen);
  return whole && unchanged ? record : undefined;
}

/** Folders change all the time, and that says nothing of the tool. */
function look(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? `${found.size} ${found.mtimeMs}` : undefined;
}

/** What an installation has made, and where in its folder (relative paths) or elsewhere (absolute ones) it is. */
export interface Filled {
  source: Source;
  where?: string;
  paths: Record<string, string>;
}

/**
 * Fills a folder aside, renames it into place, and writes its record last: an interrupted installation leaves nothing that
 * looks like a whole one.
 *
 * @param fill fills the folder
 * @param finish adds what can only be made in place
 */
export async function installAside(
  cache: string,
  tool: { name: string; version: string; licence: string },
  fill: (folder: string) => Promise<Filled>,
  finish: (folder: string) => Promise<Record<string, string>> = async () => ({}),
): Promise<ToolRecord> {
  const final = toolFolder(cache, tool.name, tool.version);
  await mkdir(join(cache, "tools", tool.name), { recursive: true });
  const aside = await mkdtemp(join(cache, "tools", tool.name, `.${tool.version}-${process.pid}-`));
  try {
    const { source, where = final, paths } = await fill(aside);
    await rm(final, { recursive: true, force: true });
    await rename(aside, final);
    const record: ToolRecord = {
      name: tool.name,
      version: tool.version,
      source,
      where,
      licence: tool.licence,
      paths: Object.fromEntries(
        Object.entries({ ...paths, ...(await finish(final)) }).map(([use, path]) => [
          use,
          resolve(final, path),
        ]),
      ),
    };
    if (source === "path") {
      record.seen = Object.fromEntries(
        Object.values(record.paths).flatMap((path) => {
          const seen = look(path);
          return seen ? [[path, seen]] : [];
        }),
      );
    }
    await writeFile(join(final, "record.json"), `${JSON.stringify(record, null, 2)}\n`);
    return record;
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
}

/** The folder of what only a run's builds need. */
export function workFolder(cache: string): string {
  return join(cache, `build-${process.pid}`);
}

/** Removes what runs that were killed left behind: half-filled folders of tools, and the caches of their builds. */
export async function removeAbandoned(cache: string): Promise<void> {
  const tools = join(cache, "tools");
  const abandoned = [
    ...(await ofDeadProcesses(cache, /^build-(\d+)$/)),
    ...(await Promise.all(
      (await list(tools)).map((name) => ofDeadProcesses(join(tools, name), /^\..*-(\d+)-\w{6}$/)),
    )),
  ].flat();
  await Promise.all(abandoned.map((path) => rm(path, { recursive: true, force: true })));
}

/** The entries whose name holds the id of a process that is no more. */
async function ofDeadProcesses(folder: string, pattern: RegExp): Promise<string[]> {
  return (await list(folder))
    .filter((name) => {
      const pid = name.match(pattern)?.[1];
      return pid !== undefined && !existsSync(`/proc/${pid}`);
    })
    .map((name) => join(folder, name));
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return [];
    }
    throw error;
  }
}
