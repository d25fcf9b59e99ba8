import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { consulPluginIsInstalled, installConsulPlugin } from "@lab/provider-consul";
import { execa } from "execa";
import type { Folders } from "../infra/folders.ts";
import { locateTools, type Tools } from "../toolchain/tools.ts";
import { LabError } from "./errors.ts";
import { say } from "./output.ts";
import type { Stack } from "./stack.ts";

/** What Pulumi runs with: its own folders, so that a user's Pulumi is never touched. */
export function pulumiEnvironment({ folders }: Stack, tools: Tools): Record<string, string> {
  const programs = [process.execPath, tools.pulumi, tools.consul, tools.nomad].map((path) => dirname(path));
  return {
    PATH: [...new Set([...programs, ...(process.env.PATH ?? "").split(delimiter)])].join(delimiter),
    PULUMI_HOME: folders.pulumiHome,
    PULUMI_BACKEND_URL: process.env.PULUMI_BACKEND_URL || ownBackend(folders),
    PULUMI_CONFIG_PASSPHRASE_FILE: folders.passphraseFile,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // A copy of the configuration that has lost its salt is no reason to lose the state.
    PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
    // Jobs wait for each other's servers, not for the processor: all of them may be under way at once.
    PULUMI_PARALLEL: "64",
    LAB_HOME: folders.home,
  };
}

export interface PulumiOptions {
  /** Told every line of standard output and error. */
  onLine?(line: string): void;
  /** What it reads on standard input. */
  input?: string;
  signal?: AbortSignal;
}

/** Pulumi commands that read a stack's configuration, and so take `--config-file`. */
export const readsConfig: ReadonlySet<string> = new Set([
  "up",
  "preview",
  "refresh",
  "destroy",
  "import",
  "watch",
]);

/**
 * Runs Pulumi on a stack.
 *
 * @returns what it printed on standard output
 * @throws LabError with Pulumi's diagnostics
 */
export async function pulumi(stack: Stack, args: string[], options: PulumiOptions = {}): Promise<string> {
  const tools = await locateTools();
  const command = args[0] as string;
  const run = execa(
    tools.pulumi,
    [
      ...args,
      "--stack",
      stack.name,
      "--non-interactive",
      "--color=never",
      ...(readsConfig.has(command) ? ["--config-file", stack.folders.configFile] : []),
    ],
    {
      cwd: stack.folders.root,
      env: pulumiEnvironment(stack, tools),
      input: options.input,
      stdin: options.input === undefined ? "ignore" : undefined,
      all: true,
      reject: false,
      cancelSignal: options.signal,
      // It is to end in its own way: a second signal would make it leave things unrecorded.
      forceKillAfterDelay: false,
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  if (options.onLine) {
    for await (const line of run.iterable({ from: "all" })) {
      options.onLine(line);
    }
  }
  const { exitCode, stdout, all } = await run;
  if (exitCode !== 0) {
    throw failure(command, all ?? "");
  }
  return stdout;
}

/** Makes the stack in the backend, and the plugin that Pulumi can't download, if they are not there. */
export async function prepareStack(stack: Stack): Promise<void> {
  const tools = await locateTools();
  if (!consulPluginIsInstalled(stack.folders.pulumiHome)) {
    await preparePlugin(stack, tools);
  }
  if (!hasForeignBackend(stack) && existsSync(stateFile(stack))) {
    return;
  }
  // `stack init` writes the salt of the encryption beside the Pulumi.yaml that it finds, so it finds one elsewhere.
  const aside = await mkdtemp(join(tmpdir(), "lab-stack-"));
  try {
    await writeFile(join(aside, "Pulumi.yaml"), "name: polyglot-lab\nruntime: nodejs\n");
    const { exitCode, all } = await execa(
      tools.pulumi,
      ["stack", "init", stack.name, "--no-select", "--non-interactive"],
      {
        cwd: aside,
        env: pulumiEnvironment(stack, tools),
        all: true,
        reject: false,
        stdin: "ignore",
      },
    );
    if (exitCode !== 0 && !/already exists/.test(all)) {
      throw failure("stack init", all);
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Whether the state is kept elsewhere than in the lab's own file backend, which `lab env` names too. */
export function hasForeignBackend({ folders }: Stack): boolean {
  const url = process.env.PULUMI_BACKEND_URL;
  return Boolean(url) && url !== ownBackend(folders);
}

/**
 * Without `metadata=skip` the file backend writes a second file beside each (its media type), and not atomically: an update that
 * is killed just then leaves it empty, and no command can read the state any more ("failed to load checkpoint: EOF").
 */
function ownBackend({ state }: Folders): string {
  return `${pathToFileURL(state).href}?metadata=skip`;
}

/** The state of a stack in the file backend. */
export function stateFile({ name, folders }: Stack): string {
  return join(folders.state, ".pulumi", "stacks", "polyglot-lab", `${name}.json`);
}

async function preparePlugin({ folders }: Stack, tools: Tools): Promise<void> {
  const { exitCode } = await execa(
    tools.pulumi,
    ["plugin", "install", "resource", "consul", "3.15.1", "--non-interactive"],
    {
      env: { PULUMI_HOME: folders.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true" },
      reject: false,
      stdin: "ignore",
      timeout: 60_000,
    },
  );
  if (exitCode !== 0) {
    say("Pulumi's Consul plugin can't be downloaded; providers/consul stands in for it.");
    await installConsulPlugin(folders.pulumiHome);
  }
}

/** What Pulumi says went wrong, without what it says around it. */
function failure(command: string, output: string): LabError {
  const diagnostics = output.split(/^Diagnostics:$/m)[1]?.split(/^(Outputs|Resources):$/m)[0];
  const lines = (diagnostics ?? output)
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line.trim() !== "" && !/^\s*(error: )?update failed$/.test(line));
  return new LabError(
    "failed",
    "pulumi-failed",
    `pulumi ${command} failed:\n${lines.slice(0, 60).join("\n")}`,
    "Mend the cause and run this again: it goes on from where it stopped. `lab doctor` checks this machine.",
  );
}
