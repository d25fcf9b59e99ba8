import { constants } from "node:os";
import { execa } from "execa";
import { locateTools } from "../toolchain/tools.ts";
import { asLabError, LabError } from "./errors.ts";
import { printError } from "./output.ts";
import { readsConfig } from "./pulumi.ts";
import { openStack, syncConfig } from "./stack.ts";

/** Flags that stand before the command and take a value. */
const valued = new Set(["-s", "--stack", "-C", "--cwd", "--color"]);

/**
 * Hands over to Pulumi. Commands that read the configuration are given the stack's own copy of it, because Pulumi writes
 * the salt of its encryption into the file, which would make the checkout dirty. Everything else is as in Pulumi's manual.
 */
try {
  const args = process.argv.slice(2);
  const stack = named(args) ?? process.env.LAB_STACK;
  const command = commandIn(args);
  if (command === "config" && args.includes("--secret")) {
    throw new LabError(
      "usage",
      "secret-configuration",
      "A secret in the configuration would be encrypted for this checkout alone.",
      "Set it without --secret; the lab's own passwords derive from the stack's key (docs/decisions).",
    );
  }
  const { pulumi } = await locateTools();
  if (
    stack !== undefined &&
    readsConfig.has(command) &&
    !args.some((arg) => arg.startsWith("--config-file"))
  ) {
    const opened = openStack(stack);
    syncConfig(opened);
    args.splice(args.indexOf(command) + 1, 0, "--config-file", opened.folders.configFile);
  }
  const { exitCode, signal } = await execa(pulumi, args, { stdio: "inherit", reject: false });
  process.exitCode = exitCode ?? 128 + (signal ? constants.signals[signal as NodeJS.Signals] : 0);
} catch (error) {
  const problem = asLabError(error);
  printError(false, problem);
  process.exitCode = problem.exitCode;
}

/** The stack that `-s` or `--stack` names. */
function named(args: string[]): string | undefined {
  const at = args.findIndex((arg) => arg === "-s" || arg === "--stack");
  return at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith("--stack="))?.slice("--stack=".length);
}

/** The command itself: the first argument that is neither a flag nor the value of one. */
function commandIn(args: string[]): string {
  return args.find((arg, index) => !arg.startsWith("-") && !valued.has(args[index - 1] ?? "")) ?? "";
}
