import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Identity, identify, isAlive } from "../../../providers/host/src/identity.ts";
import { freePorts } from "../../../providers/host/src/ports.ts";
import { removeFolder, stop } from "../../../providers/host/src/stop.ts";
import { cleanUp } from "../../clean-up.ts";
import { LabError } from "../../errors.ts";
import { poll } from "../../poll.ts";

/** A process to start. */
export interface Command {
  /** Names its folder and its log. */
  name: string;
  executable: string;
  args: string[];
  environment?: Record<string, string>;
  /** Resolves to true once it is of use; errors count as not yet. */
  ready(): Promise<boolean>;
}

/** Processes that are there to be measured, each by itself, in a folder that is thrown away. */
export interface Scene {
  folder: string;
  /** A port that nobody has, and that it gives to nobody else. */
  port(): number;
  /** Writes a file into the folder, and gives its path. */
  write(name: string, content: string): Promise<string>;
  /** Starts a process, and gives its pid once it is ready. */
  start(command: Command): Promise<number>;
  /** Ends one before the others, in its own way. */
  end(pid: number): Promise<void>;
}

const portCount = 32;
const endWithinMs = 10_000;
const readyWithinMs = 30_000;

/**
 * Runs something with a scene of its own. All that it has started is gone afterwards, whatever happens: the kernel ends it even
 * where this process is killed.
 *
 * @param signal ends the waiting for a process that is under way
 */
export async function withScene<T>(signal: AbortSignal, run: (scene: Scene) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "lab-bench-"));
  const firstPort = await freePorts(portCount);
  const started: Identity[] = [];
  let given = 0;
  const scene: Scene = {
    folder,
    port() {
      if (given === portCount) {
        throw new Error(`There are only ${portCount} ports.`);
      }
      return firstPort + given++;
    },
    async write(name, content) {
      const file = join(folder, name);
      await writeFile(file, content, { mode: 0o600 });
      return file;
    },
    async start({ name, executable, args, environment, ready }) {
      signal.throwIfAborted();
      const logFile = join(folder, `${name}.log`);
      const log = openSync(logFile, "a", 0o600);
      const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", executable, ...args], {
        cwd: folder,
        // Apart from the terminal, whose Ctrl-C would end it before it is asked to.
        detached: true,
        stdio: ["ignore", log, log],
        env: { PATH: process.env.PATH, HOME: folder, ...environment },
      });
      closeSync(log);
      await once(child, "spawn");
      const identity = identify(child.pid as number);
      if (identity) {
        started.push(identity);
      }
      await poll(name, async () => (ended(identity) || (await ready()) ? true : undefined), {
        withinMs: readyWithinMs,
        signal,
      });
      if (ended(identity)) {
        throw new LabError(
          "failed",
          "bench",
          `${name} ended by itself:\n${readFileSync(logFile, "utf8").slice(-2000)}`,
          "Mend the cause and run this again.",
        );
      }
      return child.pid as number;
    },
    async end(pid) {
      const identity = started.find((one) => one.pid === pid);
      if (identity) {
        await stop(identity, endWithinMs);
      }
    },
  };
  try {
    return await run(scene);
  } finally {
    await cleanUp([
      () => Promise.all(started.map((identity) => stop(identity, endWithinMs))),
      () => removeFolder(folder),
    ]);
  }
}

function ended(identity: Identity | undefined): boolean {
  return identity === undefined || !isAlive(identity);
}
