import { execa } from "execa";

/**
 * Runs a program that a Ctrl-C at the terminal does not reach: whoever runs it says when it is to end, and waits until it has.
 *
 * @param signal sends it, and what it has started, a Ctrl-C of its own
 * @throws AbortError when the signal has said so, once the program has ended
 */
export async function runApart(
  program: string,
  args: string[],
  signal: AbortSignal,
  { reject = false, ...options }: { cwd?: string; env?: Record<string, string>; reject?: boolean } = {},
): Promise<{ exitCode: number | undefined; stderr: string }> {
  signal.throwIfAborted();
  const run = execa(program, args, { ...options, reject, stdin: "ignore", detached: true });
  const interrupt = () => {
    if (run.pid !== undefined) {
      process.kill(-run.pid, "SIGINT");
    }
  };
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    const { exitCode, stderr } = await run;
    return { exitCode, stderr };
  } finally {
    signal.removeEventListener("abort", interrupt);
    signal.throwIfAborted();
  }
}
