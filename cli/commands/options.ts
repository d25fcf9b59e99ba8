import type { Command } from "commander";
import { openStack, type Stack } from "../stack.ts";

/** The stack that `--stack` names. */
export function stackOf(command: Command): Stack {
  return openStack((command.optsWithGlobals() as { stack: string }).stack);
}

/** Whether `--json` was given. */
export function wantsJson(command: Command): boolean {
  return (command.optsWithGlobals() as { json?: boolean }).json === true;
}
