import { execa } from "execa";

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  signal?: AbortSignal;
}

/** Runs a command to its end and gives what it printed on standard output. Its last lines go into the error. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await execa(command, args, {
    cwd: options.cwd,
    env: options.env,
    cancelSignal: options.signal,
    all: true,
    stdin: "ignore",
    reject: false,
  });
  if (result.failed) {
    const last = (result.all ?? "").trimEnd().split("\n").slice(-8).join("\n  ");
    throw new Error(
      `${[command, ...args.slice(0, 4)].join(" ")} … failed (${result.shortMessage ?? ""})\n  ${last}`,
    );
  }
  return result.stdout;
}
