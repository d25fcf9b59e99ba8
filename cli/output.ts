import ansis from "ansis";
import Table from "cli-table3";
import type { LabError } from "./errors.ts";

/** Prints a result: the text for people, or with `--json` one object for machines. */
export function printResult(json: boolean | undefined, data: unknown, text: () => string): void {
  print(json ? JSON.stringify({ ok: true, data }, null, 2) : text());
}

/** A part of a result that has several, each as soon as it is there. */
export function print(text: string): void {
  write(process.stdout, text);
}

/** Prints an error: a line of cause and a line of remedy, or with `--json` one object. */
export function printError(json: boolean, { code, message, remedy }: LabError): void {
  if (json) {
    print(JSON.stringify({ ok: false, error: { code, message, remedy } }, null, 2));
  } else {
    say(`${ansis.red("lab:")} ${message}\n     ${remedy}`);
  }
}

/** A line of progress, apart from the result. */
export function say(line: string): void {
  write(process.stderr, line);
}

/** Colours are for terminals, and the two streams need not lead to the same one; FORCE_COLOR asks for them anywhere. */
function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${stream.isTTY || process.env.FORCE_COLOR ? text : ansis.strip(text)}\n`);
}

/** Rows under a head; `null` and `undefined` are shown as an empty cell. */
export function table(head: string[], rows: unknown[][]): string {
  const grid = new Table({
    head: head.map((title) => ansis.bold(title)),
    style: { head: [], border: [], compact: true },
    chars: frameless,
  });
  grid.push(...rows.map((row) => row.map((cell) => (cell == null ? "" : String(cell)))));
  return grid.toString();
}

/** A duration as seconds. */
export function seconds(ms: number, digits = 1): string {
  return `${(ms / 1000).toFixed(digits)} s`;
}

const frameless = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
    ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ].map((name) => [name, ""]),
);
