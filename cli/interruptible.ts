import { LabError } from "./errors.ts";
import { say } from "./output.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs what must clean up after itself: a first Ctrl-C (or SIGTERM, or a closed terminal) aborts the signal that `run` is given,
 * and more of them don't end the process while it cleans up.
 *
 * @param afterwards how things are once it has cleaned up
 * @throws LabError "interrupted" when it was, after `run` has ended
 */
export async function interruptible<T>(
  run: (signal: AbortSignal) => Promise<T>,
  afterwards = "what it made is removed",
): Promise<T> {
  const controller = new AbortController();
  const onInterrupt = () => {
    if (!controller.signal.aborted) {
      say("Stopping; cleaning up …");
      controller.abort();
    }
  };
  for (const signal of signals) {
    process.on(signal, onInterrupt);
  }
  try {
    const result = await run(controller.signal);
    controller.signal.throwIfAborted();
    return result;
  } catch (error) {
    if (controller.signal.aborted && (error as Error).name === "AbortError") {
      throw new LabError(
        "interrupted",
        "interrupted",
        `It was interrupted; ${afterwards}.`,
        "Run it again for the whole of it.",
      );
    }
    throw error;
  } finally {
    for (const signal of signals) {
      process.off(signal, onInterrupt);
    }
  }
}
