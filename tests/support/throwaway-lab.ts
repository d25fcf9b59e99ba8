import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { execa } from "execa";
import { portSpan } from "../../infra/ports.ts";
import { freePorts } from "../../providers/host/src/ports.ts";
import { removeFolder, stopSupervised } from "../../providers/host/src/stop.ts";
import { cacheFolder } from "../../toolchain/store.ts";

/** What a `lab` command did. */
export interface Outcome {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
}

/** A copy of the checkout with a stack of its own: its own folders, ports and configuration. */
export interface ThrowawayLab {
  /** The copied checkout; its path holds a space. */
  root: string;
  home: string;
  stack: string;
  portBase: number;
  /** What its commands find in their environment. */
  environment: Record<string, string>;
  /** Runs a `lab` command on the stack. */
  lab(args: string[], options?: RunOptions): Promise<Outcome>;
  /** Runs it, fails unless it succeeds, and gives what it printed with `--json` as data. */
  json<T>(args: string[], options?: RunOptions): Promise<T>;
  /** Starts it without waiting. */
  start(args: string[]): ReturnType<typeof execa>;
  configure(settings: Record<string, unknown>): Promise<void>;
  /** Destroys the stack and removes every trace. */
  remove(): Promise<void>;
}

const checkout = resolve(import.meta.dirname, "..", "..");

/** Copies the checkout, uncommitted changes included, and gives it free ports. */
export async function createThrowawayLab(stack: string): Promise<ThrowawayLab> {
  const folder = await mkdtemp(join(tmpdir(), "throwaway lab "));
  const root = join(folder, "checkout");
  const home = join(root, ".lab");
  const portBase = await freePorts(portSpan);
  await copyCheckout(root);
  const configFile = join(folder, `Pulumi.${stack}.yaml`);
  const configure = (settings: Record<string, unknown>) =>
    writeFile(configFile, JSON.stringify({ config: prefixed({ portBase: String(portBase), ...settings }) }));
  await configure({});

  const environment = {
    LAB_HOME: home,
    LAB_CONFIG: configFile,
    LAB_STACK: stack,
    LAB_CACHE: cacheFolder(process.env),
    FORCE_COLOR: "0",
  };
  const options = (env: Record<string, string> = {}) => ({
    cwd: folder,
    env: { ...environment, ...env },
    reject: false as const,
  });
  const lab = async (args: string[], { env, input }: RunOptions = {}): Promise<Outcome> => {
    const { exitCode, stdout, stderr } = await execa(join(root, "lab"), args, {
      ...options(env),
      ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    });
    return { exitCode, stdout, stderr };
  };
  return {
    root,
    home,
    stack,
    portBase,
    environment,
    lab,
    configure,
    async json<T>(args: string[], runOptions?: RunOptions) {
      const { exitCode, stdout, stderr } = await lab([...args, "--json"], runOptions);
      if (exitCode !== 0) {
        throw new Error(`lab ${args.join(" ")} ended with ${exitCode}:\n${stdout}\n${stderr}`);
      }
      return (JSON.parse(stdout) as { data: T }).data;
    },
    start: (args) => execa(join(root, "lab"), args, { ...options(), stdin: "ignore", detached: true }),
    async remove() {
      const { exitCode, stderr } = await lab(["destroy", "--yes"]);
      // What a killed `lab` has left; the tests kill some.
      await stopSupervised(folder, "", 5000);
      await removeFolder(folder);
      if (exitCode !== 0) {
        throw new Error(`The throw-away stack could not be destroyed:\n${stderr}`);
      }
    },
  };
}

async function copyCheckout(root: string): Promise<void> {
  const { stdout } = await execa("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: checkout,
  });
  await mkdir(root, { recursive: true });
  for (const file of stdout.split("\0").filter(Boolean)) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    // A tracked file may have been removed and not committed.
    await cp(join(checkout, file), join(root, file)).catch(ignoreMissing);
  }
  await linkPackages(root);
  // A repository of its own, to see whether anything in it changes.
  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=lab", "-c", "user.email=lab@example.org", ...args], { cwd: root });
  await git("init", "--quiet");
  await writeFile(join(root, ".git", "info", "exclude"), "node_modules\n");
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "The checkout as it was");
}

/**
 * Lends the copy the installed packages. Those of the project itself must be the copy's own: else a file would be loaded twice,
 * once by its path and once as a package of the checkout.
 */
async function linkPackages(root: string): Promise<void> {
  const [installed, own] = [join(checkout, "node_modules"), join(root, "node_modules")];
  await mkdir(own);
  for (const name of await readdir(installed)) {
    if (name === "@lab") {
      // Relative links, which lead into the copy from there.
      await cp(join(installed, name), join(own, name), { recursive: true, verbatimSymlinks: true });
    } else {
      await symlink(join(installed, name), join(own, name));
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") {
    throw error;
  }
}

function prefixed(settings: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`lab:${name}`, value]));
}

/** The text of a file. */
export function text(file: string): Promise<string> {
  return readFile(file, "utf8");
}
