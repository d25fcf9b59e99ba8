import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writePem } from "./certificates.ts";
import { findCompiler } from "./compiler.ts";
import { unpackPackages } from "./debian.ts";
import { findAll } from "./on-path.ts";
import { run } from "./run.ts";

/** What Pulumi's module asks for. */
const oldestGo = [1, 25, 11] as const;
const toolchainModule = "golang.org/toolchain@v0.0.1-go1.25.11.linux-amd64";

/** Debian 12's and Ubuntu 24.04's own Go: too old to build with, new enough to fetch a newer one. */
const bootstrapPackages = { debian: "1.19", ubuntu: "1.22" } as const;

/** A Go and the folders that its builds fill. */
export interface Go {
  executable: string;
  environment: Record<string, string>;
  /** The C compiler, found or fetched when the first program needs it. */
  compiler(): Promise<string>;
}

/** A program of a Go module. */
export interface GoProgram {
  /** The folder of the wrapper module in `toolchain/`. */
  module: string;
  package: string;
  tags?: string;
  linkerFlags?: string;
  /** It holds C. The others are built without, so that they come out the same whether a machine has a C compiler or not. */
  cgo?: boolean;
}

/**
 * Finds a Go that is new enough, or fetches one.
 *
 * @param work takes the fetched Go, and the module and build caches
 */
export async function findGo(
  environment: NodeJS.ProcessEnv,
  cache: string,
  work: string,
  signal?: AbortSignal,
): Promise<Go> {
  const variables: Record<string, string> = {
    GOMODCACHE: environment.LAB_GOMODCACHE || join(work, "modules"),
    GOCACHE: environment.LAB_GOCACHE || join(work, "builds"),
    GOFLAGS: "-modcacherw -buildvcs=false",
    GOTOOLCHAIN: "local",
    ...(environment.SSL_CERT_FILE || environment.SSL_CERT_DIR ? {} : { SSL_CERT_FILE: await writePem(work) }),
  };
  let compiler: Promise<string> | undefined;
  const go = (executable: string): Go => ({
    executable,
    environment: variables,
    compiler() {
      compiler ??= findCompiler(environment, cache, work, signal);
      return compiler;
    },
  });
  for (const path of findAll("go", environment)) {
    if (isNewEnough(await run(path, ["env", "GOVERSION"], { signal }))) {
      return go(path);
    }
  }
  return go(await fetchGo(cache, work, variables, signal));
}

/** Builds a program exactly as its `go.mod` and `go.sum` pin it. */
export async function buildGo(
  go: Go,
  toolchainFolder: string,
  program: GoProgram,
  output: string,
  signal?: AbortSignal,
): Promise<void> {
  const flags = [
    "-mod=readonly",
    "-trimpath",
    `-ldflags=${["-s", "-w", program.linkerFlags].filter(Boolean).join(" ")}`,
    ...(program.tags ? [`-tags=${program.tags}`] : []),
  ];
  await run("nice", [go.executable, "build", ...flags, "-o", output, program.package], {
    cwd: join(toolchainFolder, program.module),
    env: {
      ...go.environment,
      ...(program.cgo ? { CGO_ENABLED: "1", CC: `'${await go.compiler()}'` } : { CGO_ENABLED: "0" }),
    },
    signal,
  });
}

function isNewEnough(version: string): boolean {
  const parts = version
    .match(/^go(\d+)\.(\d+)(?:\.(\d+))?/)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  if (!parts) {
    return false;
  }
  for (const [index, oldest] of oldestGo.entries()) {
    const part = parts[index] as number;
    if (part !== oldest) {
      return part > oldest;
    }
  }
  return true;
}

async function fetchGo(
  cache: string,
  work: string,
  variables: Record<string, string>,
  signal?: AbortSignal,
): Promise<string> {
  const home = join(variables.GOMODCACHE as string, toolchainModule);
  const executable = join(home, "bin", "go");
  if (!existsSync(executable)) {
    const old = join(work, "bootstrap");
    const version = bootstrapPackages[existsSync("/etc/lsb-release") ? "ubuntu" : "debian"];
    await rm(old, { recursive: true, force: true });
    await mkdir(old, { recursive: true });
    await unpackPackages([`golang-${version}-go`, `golang-${version}-src`], cache, old, { signal });
    const root = join(old, "usr", "lib", `go-${version}`);
    await run(join(root, "bin", "go"), ["mod", "download", toolchainModule], {
      cwd: work,
      env: { ...variables, GOROOT: root, GOFLAGS: "-modcacherw" },
      signal,
    });
  }
  // Modules carry no permission to execute.
  for (const folder of ["bin", join("pkg", "tool", "linux_amd64")]) {
    for (const file of await readdir(join(home, folder))) {
      await chmod(join(home, folder, file), 0o755);
    }
  }
  return executable;
}
