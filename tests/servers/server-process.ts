import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identify } from "../../providers/host/src/identity.ts";
import { removeFolder, stop } from "../../providers/host/src/stop.ts";
import { freeze } from "../support/freeze.ts";
import { until } from "../support/until.ts";

/** A server in a folder of its own. */
export interface ServerProcess {
  folder: string;
  /** Starts it, again after `kill`; resolves once it is ready. */
  start(): Promise<void>;
  /** SIGKILL, as a crash would; its folder stays. */
  kill(): Promise<void>;
  /** SIGSTOP: it lives, and does nothing until `thaw`. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Ends it, if it runs, and removes its folder. */
  stop(): Promise<void>;
}

/** How to run a server in its folder. */
export interface ServerCommand {
  executable: string;
  args: string[];
  environment?: Record<string, string>;
}

/**
 * A server, not started yet.
 *
 * @param name starts the name of its temporary folder, which holds a space
 * @param ready resolves to true once the server is of use; errors count as not yet
 * @param afterwards what is left to do in the folder once the server has ended, before the folder goes
 */
export async function createServerProcess(
  name: string,
  commandIn: (folder: string) => ServerCommand | Promise<ServerCommand>,
  ready: () => Promise<boolean>,
  afterwards: (folder: string) => Promise<void> = async () => {},
): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), `lab ${name} `));
  const logFile = join(folder, "server.log");
  const { executable, args, environment } = await commandIn(folder);
  let running: { child: ChildProcess; exited: Promise<unknown> } | undefined;
  return {
    folder,
    async start() {
      const log = openSync(logFile, "a");
      const child = spawn(executable, args, {
        stdio: ["ignore", log, log],
        cwd: folder,
        env: { ...process.env, ...environment },
      });
      closeSync(log);
      running = { child, exited: once(child, "exit") };
      try {
        await until(`${name} to be ready`, ready, 60_000);
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${(await readFile(logFile, "utf8")).slice(-2000)}`);
      }
    },
    async kill() {
      running?.child.kill("SIGKILL");
      await running?.exited;
      running = undefined;
    },
    freeze: async () => freeze(running?.child.pid as number),
    thaw: () => void running?.child.kill("SIGCONT"),
    async stop() {
      running?.child.kill("SIGCONT");
      const identity = running && identify(running.child.pid as number);
      if (identity) {
        await stop(identity, 10_000);
      }
      running = undefined;
      await afterwards(folder);
      await removeFolder(folder);
    },
  };
}
