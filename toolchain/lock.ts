import { once } from "node:events";
import { execa } from "execa";

/**
 * Does something while no other process does it. The kernel holds the lock (flock(1)) for a child that ends with our end of
 * its input, so that a killed process leaves no lock behind.
 *
 * @param waiting is called when another process has the lock
 */
export async function withLock<T>(
  file: string,
  waiting: () => void,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let holder = await hold(file, ["--nonblock"], signal);
  if (!holder) {
    waiting();
    holder = await hold(file, [], signal);
  }
  if (!holder) {
    throw new Error(`flock could not lock ${file}.`);
  }
  try {
    return await work();
  } finally {
    holder.release();
    await holder.ended;
  }
}

async function hold(file: string, options: string[], signal?: AbortSignal) {
  const child = execa("flock", [...options, file, "sh", "-c", "echo locked && exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
    buffer: false,
    reject: false,
    cancelSignal: signal,
  });
  const locked = await Promise.race([once(child.stdout, "data").then(() => true), child.then(() => false)]);
  signal?.throwIfAborted();
  return locked ? { release: () => child.stdin.end(), ended: child } : undefined;
}
