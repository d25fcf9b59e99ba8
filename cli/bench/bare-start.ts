import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import type { Ports } from "../../infra/ports.ts";
import { parentOf, readProc } from "../../providers/host/src/identity.ts";
import { holdersOf } from "../../providers/host/src/ports.ts";
import type { Tools } from "../../toolchain/tools.ts";
import type { Stack } from "../stack.ts";

/** A server as it runs under Nomad: enough to start the very same without. */
export interface Server {
  name: string;
  command: string[];
  cwd: string;
  env: Record<string, string>;
  /** What `jobs/probe.pl` asks it. */
  probe: [protocol: string, port: number];
}

const withinMs = 120_000;

/** The servers of the data tier, read off their running processes. */
export function runningServers(stack: Stack, ports: Ports, tools: Tools): Server[] {
  return [
    readOff("mysql", ["mysql", ports.mysql]),
    readOff("mongodb", ["mongodb", ports.mongodb]),
    readOff("cassandra", ["cassandra", ports.cassandra]),
    readOff("neo4j", ["bolt", ports.neo4jBolt]),
    redis(stack, ports, tools),
  ];
}

/**
 * Starts a server by itself and waits for its answer to a request of its protocol.
 *
 * @returns how long that took, in milliseconds
 */
export async function bareStartMs({ command, cwd, env, probe, name }: Server, root: string): Promise<number> {
  const startedMs = performance.now();
  // Apart from the terminal, whose Ctrl-C would end it before it is asked to.
  const child = spawn(command[0] as string, command.slice(1), { cwd, env, stdio: "ignore", detached: true });
  try {
    await untilAnswering(child, name, [
      join(root, "jobs", "probe.pl"),
      probe[0],
      "127.0.0.1",
      String(probe[1]),
    ]);
    return performance.now() - startedMs;
  } finally {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) {
      await once(child, "exit");
    }
  }
}

async function untilAnswering(child: ChildProcess, name: string, probe: string[]): Promise<void> {
  const deadline = Date.now() + withinMs;
  while ((await execa("perl", probe, { reject: false, stdin: "ignore" })).exitCode !== 0) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`${name} did not start by itself (exit code ${child.exitCode}).`);
    }
    await delay(20);
  }
}

function readOff(name: string, probe: Server["probe"]): Server {
  const pid = holdersOf([probe[1]])[0]?.pid;
  if (pid === undefined) {
    throw new Error(`${name} does not run.`);
  }
  const entries = (readProc(pid, "environ") ?? "").split("\0").filter(Boolean);
  return {
    name,
    command: (readProc(pid, "cmdline") ?? "").split("\0").slice(0, -1),
    cwd: readlinkSync(`/proc/${pid}/cwd`),
    env: Object.fromEntries(
      entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    ),
    probe,
  };
}

/** Redis writes over its command line and its environment; the job's start script has them once more. */
function redis({ folders }: Stack, ports: Ports, tools: Tools): Server {
  const pid = holdersOf([ports.redis])[0]?.pid ?? 0;
  const task = readProc(parentOf(pid) ?? 0, "cmdline")?.match(/"LogFile":"(.+?)\/executor\.out"/)?.[1];
  if (!task) {
    throw new Error("redis does not run.");
  }
  return {
    name: "redis",
    command: ["/bin/sh", "local/start.sh"],
    cwd: task,
    env: {
      PATH: process.env.PATH ?? "",
      DATA_DIR: join(folders.data, "redis"),
      SERVER: tools.redis.server,
      LIBRARY_PATH: tools.redis.libraryPath,
    },
    probe: ["redis", ports.redis],
  };
}
