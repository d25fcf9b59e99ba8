import { readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type RunOptions, run } from "./run.ts";

const freshListsMs = 12 * 60 * 60 * 1000;

export interface UnpackOptions extends RunOptions {
  /** Unpacks all that they depend on, also what this machine has. */
  evenInstalled?: boolean;
}

/**
 * Unpacks Debian or Ubuntu packages, and those they depend on that this machine lacks, into a folder. Nothing is
 * installed: apt's lists and archives are the cache's own, so an ordinary user can do it.
 *
 * @param cache the tool cache, which keeps the lists
 * @returns the versions of the packages by name
 */
export async function unpackPackages(
  packages: string[],
  cache: string,
  folder: string,
  { evenInstalled = false, ...options }: UnpackOptions = {},
): Promise<void> {
  const apt = await aptOptions(cache, evenInstalled);
  if (!hasFreshLists(apt.lists)) {
    await run("apt-get", [...apt.options, "update"], options);
  }
  // The named ones are always unpacked: --reinstall.
  const plan = await run(
    "apt-get",
    [...apt.options, "--simulate", "--no-install-recommends", "--reinstall", "install", ...packages],
    options,
  );
  const needed = [...new Set([...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] as string))];
  const downloads = join(folder, ".packages");
  await mkdir(downloads, { recursive: true });
  await run("apt-get", [...apt.options, "download", ...needed], { ...options, cwd: downloads });
  for (const file of await readdir(downloads)) {
    await run("dpkg", ["-x", join(downloads, file), folder], options);
  }
  rmSync(downloads, { recursive: true });
  relink(folder);
}

async function aptOptions(
  cache: string,
  asIfNothingInstalled: boolean,
): Promise<{ lists: string; options: string[] }> {
  const apt = join(cache, "apt");
  const lists = join(apt, "lists");
  await mkdir(join(lists, "partial"), { recursive: true });
  await mkdir(join(apt, "archives", "partial"), { recursive: true });
  const nothing = join(apt, "nothing-installed");
  await writeFile(nothing, "");
  const settings = {
    "Dir::State::Lists": lists,
    "Dir::Cache": apt,
    "Dir::State::status": asIfNothingInstalled ? nothing : "/var/lib/dpkg/status",
    // The sandbox user could not write below the cache of another user.
    "APT::Sandbox::User": "",
    "Debug::NoLocking": "true",
  };
  return {
    lists,
    options: ["-qq", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])],
  };
}

function hasFreshLists(lists: string): boolean {
  const files = readdirSync(lists).filter(
    (name) => name.endsWith("_Packages") || name.includes("_Packages."),
  );
  return files.length > 0 && Date.now() - statSync(lists).mtimeMs < freshListsMs;
}

/** Absolute links of a package (`/etc/java-17-openjdk/…`) are meant for `/`: point them into the folder. */
function relink(folder: string): void {
  for (const link of linksBelow(folder)) {
    const target = readlinkSync(link);
    const inside = join(folder, target);
    if (target.startsWith("/") && statSync(inside, { throwIfNoEntry: false })) {
      rmSync(link);
      symlinkSync(relative(dirname(link), inside), link);
    }
  }
}

/** Node's own recursive listing goes through links, and so out of the folder. */
function* linksBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) {
      yield path;
    } else if (entry.isDirectory()) {
      yield* linksBelow(path);
    }
  }
}
