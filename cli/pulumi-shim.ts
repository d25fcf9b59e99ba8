import { constants } from "node:os";
import { execa } from "execa";
import { locateTools } from "../toolchain/tools.ts";
import { asLabError } from "./errors.ts";
import { printError } from "./output.ts";
import { readsConfig } from "./pulumi.ts";
import { openStack, syncConfig } from "./stack.ts";

/**
 * Hands over to Pulumi. Commands that read the configuration are given the stack's own copy of it, because Pulumi writes
 * the salt of its encryption into the file, which would make the checkout dirty. Everything else is as in Pulumi's manual.
 */
try {
  const args = process.argv.slice(2);
  const stack = named(args) ?? process.env.LAB_STACK;
  const { pulumi } = await locateTools();
  const extra: string[] = [];
  if (
    stack !== undefined &&
    args.some((arg) => readsConfig.has(arg)) &&
    !args.some((arg) => arg.startsWith("--config-file"))
  ) {
    const { folders, ...rest } = openStack(stack);
    syncConfig({ folders, ...rest });
    extra.push("--config-file", folders.configFile, ...(named(args) === undefined ? ["--stack", stack] : []));
  }
  const { exitCode, signal } = await execa(pulumi, [...args, ...extra], { stdio: "inherit", reject: false });
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
