import { type Command, InvalidArgumentError } from "commander";
import { openStack, type Stack } from "../stack.ts";

/** The stack that `--stack` names. */
export function stackOf(command: Command): Stack {
  return openStack((command.optsWithGlobals() as { stack: string }).stack);
}

/** Whether `--json` was given. */
export function wantsJson(command: Command): boolean {
  return (command.optsWithGlobals() as { json?: boolean }).json === true;
}

/** Reads an option's value as a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}
