import { existsSync, globSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { unpackPackages } from "./debian.ts";
import { findAll } from "./on-path.ts";
import { run } from "./run.ts";

/** gcc only recommends libc's headers. */
const packages = ["gcc", "libc6-dev"];

const libraryFolders = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"];

/** Uses a header and the linker: a gcc without libc's headers is there on some machines, and is no use. */
const trial = "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n";

/**
 * Finds a C compiler that works, or unpacks the distribution's.
 *
 * @param work takes the unpacked one
 * @returns what to call as `CC`
 */
export async function findCompiler(
  environment: NodeJS.ProcessEnv,
  cache: string,
  work: string,
  signal?: AbortSignal,
): Promise<string> {
  for (const path of findAll("gcc", environment)) {
    if (await works(path, work, signal)) {
      return path;
    }
  }
  return await unpackCompiler(cache, join(work, "compiler"), signal);
}

/** The distribution's gcc, in a folder with all that it needs. */
async function unpackCompiler(cache: string, folder: string, signal?: AbortSignal): Promise<string> {
  const wrapper = join(folder, "cc");
  if (existsSync(wrapper)) {
    return wrapper;
  }
  const root = join(folder, "root");
  const libraries = join(folder, "libraries");
  await rm(folder, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  // All of it, the libc of this machine once more: the linker looks for nothing outside of --sysroot.
  await unpackPackages(packages, cache, root, { signal, evenInstalled: true });
  for (const folder of ["lib", "lib64"]) {
    if (!existsSync(join(root, folder))) {
      // Where packages put everything below /usr, libc's linker scripts still say /lib.
      await symlink(join("usr", folder), join(root, folder));
    }
  }
  await mkdir(libraries);
  for (const library of librariesToLend(root)) {
    await symlink(library, join(libraries, basename(library)));
  }
  // Written last: its presence means that the rest is there. GCC finds its own parts from where it is.
  await writeFile(
    wrapper,
    `#!/bin/sh
folder=$(dirname "$0")
export LD_LIBRARY_PATH="$folder/libraries" PATH="$folder/root/usr/bin:$PATH"
exec "$folder/root/usr/bin/gcc" --sysroot="$folder/root" "$@"
`,
    { mode: 0o755 },
  );
  return wrapper;
}

/**
 * The libraries that the compiler is to be run with: only those that this machine lacks, because its libc and the loader must be
 * of one build.
 */
function librariesToLend(root: string): string[] {
  return libraryFolders
    .flatMap((folder) => globSync(join(root, folder, "*.so{,.*}")))
    .filter((library) => libraryFolders.every((folder) => !existsSync(join(folder, basename(library)))));
}

async function works(compiler: string, work: string, signal?: AbortSignal): Promise<boolean> {
  const source = join(work, "trial.c");
  await writeFile(source, trial);
  try {
    await run(compiler, ["-o", join(work, "trial"), source], { signal });
    return true;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}
