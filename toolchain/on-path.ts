import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { execa } from "execa";

/** Debian puts servers where an ordinary user's PATH doesn't look. */
const serverFolders = ["/usr/local/sbin", "/usr/sbin"];

/** The executables of that name on PATH, and where servers are, in order. */
export function findAll(name: string, environment: NodeJS.ProcessEnv): string[] {
  const folders = [...(environment.PATH ?? "").split(delimiter), ...serverFolders];
  return [...new Set(folders)]
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, name))
    .filter(isExecutable);
}

/**
 * The first executable of that name that prints a fitting version.
 *
 * @param args what makes it print its version
 * @param fits what standard output or error must match
 */
export async function findVersion(
  name: string,
  args: string[],
  fits: RegExp,
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  for (const path of findAll(name, environment)) {
    const { all } = await execa(path, args, { all: true, reject: false, timeout: 10_000, stdin: "ignore" });
    if (fits.test(all ?? "")) {
      return path;
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
