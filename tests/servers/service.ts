import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { remotePortsOf } from "../../providers/host/src/ports.ts";

/** A service of the shop as a process of its own. */
export interface ServiceProcess {
  /** Such as `http://127.0.0.1:41234`. */
  url: string;
  port: number;
  /** Whether it has a connection to a port, wherever. */
  isConnectedTo(port: number): boolean;
  /** What it has logged so far: one JSON object a line. */
  logged: string[];
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

const services = resolve(import.meta.dirname, "..", "..", "services");

/**
 * Starts a service from its sources, with nothing in its environment but this; resolves once it listens.
 *
 * @param environment its own variables; PORT is a free one unless it is given
 */
export async function startService(
  name: string,
  environment: Record<string, string>,
): Promise<ServiceProcess> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(services, name, "src", "main.ts")],
    {
      env: { PATH: process.env.PATH, SERVICE_NAME: name, ENVIRONMENT: "test", PORT: "0", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const exited = once(child, "exit");
  const logged: string[] = [];
  const port = await portOf(child, logged);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    isConnectedTo: (remote) => remotePortsOf(child.pid as number).has(remote),
    logged,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      return child.exitCode;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Goes on reading what the service logs for as long as it runs. */
function portOf(child: ChildProcess, logged: string[]): Promise<number> {
  let complaints = "";
  child.stderr?.on("data", (piece) => {
    complaints += piece;
  });
  return new Promise((done, fail) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      logged.push(line);
      const port = line.match(/"port":(\d+),"msg":"listening"/)?.[1];
      if (port) {
        done(Number(port));
      }
    });
    child.once("exit", (code) =>
      fail(new Error(`It ended with ${code} before it listened: ${complaints}${logged.join("\n")}`)),
    );
  });
}
