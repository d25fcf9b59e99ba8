import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { archiveClasses, type Trial } from "./class-data.ts";
import { unpackPackages } from "./debian.ts";
import { buildGo, findGo, type Go } from "./go.ts";
import { withLock } from "./lock.ts";
import { copyJars } from "./maven.ts";
import { unpackWheels } from "./python.ts";
import { fetchRelease } from "./release.ts";
import {
  cacheFolder,
  installAside,
  readRecord,
  removeAbandoned,
  type ToolRecord,
  workFolder,
} from "./store.ts";
import {
  neededTools,
  type Recipe,
  type ReleaseBases,
  releaseBases,
  type Tool,
  ToolMissingError,
  type ToolName,
  tools,
} from "./tools.ts";

/** A step of an installation, for a line of progress. */
export interface Progress {
  tool: ToolName;
  step: "waiting" | "downloading" | "building" | "unpacking" | "archiving" | "installed" | "failed";
  detail?: string;
}

export interface InstallOptions {
  environment?: NodeJS.ProcessEnv;
  /** Default: all but the optional ones. */
  names?: readonly ToolName[];
  /** Keeps the module and build caches of Go, which take up to 11 GB. */
  keepCaches?: boolean;
  /** Where the publishers' archives are. */
  bases?: ReleaseBases;
  report?(progress: Progress): void;
  signal?: AbortSignal;
}

interface Job extends Required<Pick<InstallOptions, "environment" | "bases" | "report">> {
  cache: string;
  /** What only the builds need; removed afterwards. */
  work: string;
  signal?: AbortSignal;
  go?: Promise<Go>;
}

/**
 * Installs the tools that are missing: from PATH, from their publisher, or from the registries, in this order. Downloads run
 * side by side, builds one after another.
 *
 * @throws ToolMissingError that names the tool, what was tried, and what to do
 */
export async function installTools(options: InstallOptions = {}): Promise<ToolRecord[]> {
  const environment = options.environment ?? process.env;
  const cache = cacheFolder(environment);
  const wanted = options.names ? tools.filter(({ name }) => options.names?.includes(name)) : neededTools;
  const { records, missing } = await installed(cache, wanted);
  if (missing.length === 0) {
    return records;
  }
  const job: Job = {
    environment,
    cache,
    work: options.keepCaches ? join(cache, "build") : workFolder(cache),
    bases: options.bases ?? releaseBases,
    report: options.report ?? (() => undefined),
    signal: options.signal,
  };
  await mkdir(cache, { recursive: true });
  const waiting = () => job.report({ tool: (missing[0] as Tool).name, step: "waiting", detail: waitReason });
  return await withLock(join(cache, ".install.lock"), waiting, options.signal, async () => {
    await removeAbandoned(cache);
    const left = await installed(cache, wanted);
    return [...left.records, ...(await installMissing(left.missing, job, options.keepCaches))];
  });
}

const waitReason = "another lab is installing into the same cache";

async function installed(
  cache: string,
  wanted: readonly Tool[],
): Promise<{ records: ToolRecord[]; missing: Tool[] }> {
  const known = await Promise.all(wanted.map(({ name, version }) => readRecord(cache, name, version)));
  return {
    records: known.filter((record) => record !== undefined),
    missing: wanted.filter((_, index) => known[index] === undefined),
  };
}

async function installMissing(missing: Tool[], job: Job, keepCaches = false): Promise<ToolRecord[]> {
  await mkdir(job.work, { recursive: true });
  try {
    const records: ToolRecord[] = [];
    const remaining = new Map<Tool, string[]>();
    await Promise.all(
      missing.map(async (tool) => {
        const outcome = await fromPathOrPublisher(tool, job);
        "record" in outcome ? records.push(outcome.record) : remaining.set(tool, outcome.tried);
      }),
    );
    // In the order of the table: the jars need the Java before them.
    for (const tool of missing) {
      const tried = remaining.get(tool);
      if (tried) {
        records.push(await fromRegistry(tool, tried, job));
      }
    }
    return records;
  } finally {
    if (!keepCaches) {
      await rm(job.work, { recursive: true, force: true });
    }
  }
}

async function fromPathOrPublisher(
  tool: Tool,
  job: Job,
): Promise<{ record: ToolRecord } | { tried: string[] }> {
  const tried: string[] = [];
  if (tool.onPath) {
    const paths = await tool.onPath(job.environment);
    if (paths) {
      const where = Object.values(paths)[0] as string;
      const record = await installAside(job.cache, tool, async () => ({ source: "path", where, paths }));
      job.report({ tool: tool.name, step: "installed", detail: `found ${where}` });
      return { record };
    }
    tried.push(`PATH: no ${tool.name} ${tool.version}`);
  }
  const release = tool.release;
  if (release) {
    const archive = release.archive(job.bases);
    try {
      job.report({ tool: tool.name, step: "downloading", detail: archive.url });
      const record = await installAside(job.cache, tool, async (folder) => {
        await fetchRelease(archive, join(job.cache, "downloads"), folder, job.signal);
        return { source: "release", paths: release.paths };
      });
      job.report({ tool: tool.name, step: "installed", detail: "publisher's archive" });
      return { record };
    } catch (error) {
      job.signal?.throwIfAborted();
      tried.push(`release: ${(error as Error).message}`);
    }
  }
  return { tried };
}

async function fromRegistry(tool: Tool, tried: string[], job: Job): Promise<ToolRecord> {
  const recipe = tool.recipe;
  if (!recipe) {
    throw missing(tool, tried);
  }
  const startedMs = Date.now();
  job.report({
    tool: tool.name,
    step: recipe.kind === "go" ? "building" : "unpacking",
    // Why it doesn't come from its publisher, a wrong checksum above all, is for the user to see.
    detail: [recipe.standsIn, ...tried.filter((line) => line.startsWith("release"))]
      .filter(Boolean)
      .join("; "),
  });
  try {
    const record = await installAside(
      job.cache,
      { ...tool, licence: recipe.licence ?? tool.licence },
      async (folder) => ({ source: "registry", paths: await make(recipe, folder, job) }),
      async (folder) => {
        if (recipe.kind !== "maven") {
          return {};
        }
        job.report({ tool: tool.name, step: "archiving", detail: "its classes, for quicker starts" });
        return await archive(tool.name, recipe.trial, folder, job);
      },
    );
    const seconds = Math.round((Date.now() - startedMs) / 1000);
    job.report({ tool: tool.name, step: "installed", detail: `${sources[recipe.kind]}, ${seconds} s` });
    return record;
  } catch (error) {
    job.signal?.throwIfAborted();
    job.report({ tool: tool.name, step: "failed" });
    throw missing(tool, [...tried, `${sources[recipe.kind]}: ${(error as Error).message}`]);
  }
}

const sources: Record<Recipe["kind"], string> = {
  go: "Go modules",
  maven: "Maven",
  debian: "the distribution's packages",
  python: "the Python package index",
};

async function make(recipe: Recipe, folder: string, job: Job): Promise<Record<string, string>> {
  switch (recipe.kind) {
    case "go": {
      job.go ??= findGo(job.environment, job.cache, job.work, job.signal);
      const go = await job.go;
      const paths: Record<string, string> = {};
      for (const [use, program] of Object.entries(recipe.programs)) {
        const file = join("bin", program.module);
        await buildGo(go, import.meta.dirname, program, join(folder, file), job.signal);
        paths[use] = file;
      }
      return paths;
    }
    case "maven":
      await copyJars(join(import.meta.dirname, recipe.pom), folder, { ...job, java: await java(job) });
      return { lib: "lib" };
    case "debian":
      await unpackPackages(recipe.packages, job.cache, folder, { signal: job.signal });
      await mkdir(join(folder, "usr/lib/x86_64-linux-gnu"), { recursive: true });
      return recipe.paths;
    case "python":
      await unpackWheels(join(import.meta.dirname, recipe.requirements), folder, job);
      return recipe.paths;
  }
}

async function java(job: Job): Promise<string> {
  const record = await readRecord(job.cache, "java", "17");
  if (!record) {
    throw new Error("It needs the Java that is not installed.");
  }
  return record.paths.executable as string;
}

/** The server runs without its archive too, only slower: a failure is told, and is no reason to end. */
async function archive(
  tool: ToolName,
  trial: Trial,
  folder: string,
  job: Job,
): Promise<Record<string, string>> {
  try {
    await archiveClasses(
      { ...trial, configuration: join(import.meta.dirname, trial.configuration) },
      { ...job, java: await java(job), lib: join(folder, "lib"), archive: join(folder, "classes.jsa") },
    );
    return { cds: "classes.jsa" };
  } catch (error) {
    job.signal?.throwIfAborted();
    job.report({ tool, step: "archiving", detail: (error as Error).message });
    return {};
  }
}

function missing(tool: Tool, tried: string[]): ToolMissingError {
  return new ToolMissingError(
    `${tool.name} ${tool.version}`,
    tried,
    `Put ${tool.name} ${tool.version} on PATH, or make one of the places above reachable, and run this again.`,
  );
}
