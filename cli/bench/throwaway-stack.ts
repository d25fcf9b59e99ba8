import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { portSpan } from "../../infra/ports.ts";
import { freePorts } from "../../providers/host/src/ports.ts";
import { removeFolder } from "../../providers/host/src/stop.ts";
import { LabError } from "../errors.ts";
import { say } from "../output.ts";
import { openStack, type Stack } from "../stack.ts";
import { runApart } from "./run-apart.ts";

/** A stack that is there to be measured. */
export interface ThrowawayStack {
  stack: Stack;
  /** Of the checkout. */
  root: string;
  /** Holds all that is the stack's, and goes with it. */
  folder: string;
  /** Runs a `lab` command on it, and gives how long that took, in milliseconds. */
  lab(...args: string[]): Promise<number>;
}

const name = "bench";

/**
 * Runs something with a stack of its own, with free ports and no data, which is gone afterwards, whatever happens. It is not up yet.
 *
 * @param settings of the stack, besides its ports
 * @param signal ends a command of the stack that is under way
 * @throws LabError when a command fails
 */
export async function withThrowawayStack<T>(
  settings: Record<`lab:${string}`, unknown>,
  signal: AbortSignal,
  run: (stack: ThrowawayStack) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "lab-bench-"));
  const root = join(import.meta.dirname, "..", "..");
  const config = join(folder, `Pulumi.${name}.yaml`);
  const portBase = String(await freePorts(portSpan));
  await writeFile(config, JSON.stringify({ config: { "lab:portBase": portBase, ...settings } }));
  Object.assign(process.env, { LAB_HOME: join(folder, "home"), LAB_CONFIG: config });
  const lab = async (args: string[], stop: AbortSignal) => {
    say(`  lab ${args.join(" ")}`);
    const startedMs = performance.now();
    const { exitCode, stderr } = await runApart(join(root, "lab"), [...args, "--stack", name], stop);
    if (exitCode !== 0) {
      throw new LabError(
        "failed",
        "bench",
        `lab ${args.join(" ")} failed:\n${stderr}`,
        "Mend the cause and run this again.",
      );
    }
    return Math.round(performance.now() - startedMs);
  };
  try {
    return await run({ stack: openStack(name), root, folder, lab: (...args) => lab(args, signal) });
  } finally {
    // Not the folder, where the stack could not be destroyed: without it nobody could.
    await lab(["destroy", "--yes"], new AbortController().signal);
    await removeFolder(folder);
  }
}
