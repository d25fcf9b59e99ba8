import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identify } from "../../providers/host/src/identity.ts";
import { removeFolder, stop, stopSupervised } from "../../providers/host/src/stop.ts";

/** An agent in a folder of its own. */
export interface Agent {
  folder: string;
  /** Starts it, again after `kill`; resolves once it is ready. */
  start(): Promise<void>;
  /** SIGKILL, as a crash would; its folder stays. */
  kill(): Promise<void>;
  /** Ends it and what it supervised, and removes its folder. */
  stop(): Promise<void>;
}

const configFlag = { consul: "-config-file", nomad: "-config" } as const;

/**
 * An agent of HashiCorp's, not started yet.
 *
 * @param name starts the name of its temporary folder, which holds a space
 * @param ready resolves to true once the agent is of use; errors count as not yet
 */
export async function createAgent(
  name: keyof typeof configFlag,
  executable: string,
  configuration: (folder: string) => object,
  ready: () => Promise<boolean>,
): Promise<Agent> {
  const folder = await mkdtemp(join(tmpdir(), `lab ${name} `));
  const file = join(folder, "agent.json");
  const logFile = join(folder, "agent.log");
  await writeFile(file, JSON.stringify(configuration(folder)), { mode: 0o600 });
  let running: { pid: number; exited: Promise<unknown> } | undefined;
  return {
    folder,
    async start() {
      const log = openSync(logFile, "a");
      const child = spawn(executable, ["agent", `${configFlag[name]}=${file}`], {
        stdio: ["ignore", log, log],
        cwd: folder,
      });
      closeSync(log);
      running = { pid: child.pid as number, exited: once(child, "exit") };
      try {
        await until(`${name} to be ready`, ready, 60_000);
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${(await readFile(logFile, "utf8")).slice(-2000)}`);
      }
    },
    async kill() {
      if (running) {
        process.kill(running.pid, "SIGKILL");
        await running.exited;
        running = undefined;
      }
    },
    async stop() {
      const identity = running && identify(running.pid);
      if (identity) {
        await stop(identity, 10_000);
      }
      await stopSupervised(folder, executable, 5_000);
      await removeFolder(folder);
    },
  };
}

/** Polls until the condition is true; its errors count as not yet. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  let cause: unknown;
  while (Date.now() < end) {
    try {
      if (await condition()) {
        return;
      }
    } catch (error) {
      cause = error;
    }
    await delay(50);
  }
  throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`, { cause });
}
