import { readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Ports } from "../../../infra/ports.ts";
import { readProc } from "../../../providers/host/src/identity.ts";
import { holdersOf } from "../../../providers/host/src/ports.ts";
import { residentBytesOf } from "../../bench/memory.ts";
import type { Instance } from "../../cluster.ts";

/** What one process of the shop is like from outside. */
export interface Footprint {
  pid: number;
  /** Its proportional set size. */
  memoryBytes: number;
  /** The servers that it holds connections to. */
  connectedTo: string[];
  /** The archive that it was started from. */
  bundleBytes: number;
}

/** The process that listens at an instance's address. */
export function pidOf({ address }: Pick<Instance, "address">): number | undefined {
  return holdersOf([Number(address.split(":").at(-1))])[0]?.pid;
}

/**
 * Looks at an instance's process.
 *
 * @throws Error when there is none
 */
export function footprintOf(instance: Instance, ports: Ports, releases: string): Footprint {
  const pid = pidOf(instance);
  if (pid === undefined) {
    throw new Error(`Nothing listens at ${instance.address}.`);
  }
  return {
    pid,
    memoryBytes: residentBytesOf(pid),
    connectedTo: connectionsOf(pid, ports),
    bundleBytes: statSync(join(releases, `${instance.meta.digest}.tar.gz`)).size,
  };
}

/** The servers that a service keeps state or messages in, by the names of their ports. */
const servers = {
  mysql: "MySQL",
  mongodb: "MongoDB",
  redis: "Redis",
  cassandra: "Cassandra",
  neo4jBolt: "Neo4j",
  nats: "NATS",
} as const satisfies Partial<Record<keyof Ports, string>>;

/** The state `ESTABLISHED` in `/proc/net/tcp` (proc(5)). */
const established = "01";

function connectionsOf(pid: number, ports: Ports): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map((descriptor) => readLink(`/proc/${pid}/fd/${descriptor}`)),
  );
  const remote = new Set<number>();
  for (const file of ["tcp", "tcp6"]) {
    for (const line of (readProc(pid, `net/${file}`) ?? "").split("\n").slice(1)) {
      const [, , peer, state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === established && sockets.has(`socket:[${inode}]`)) {
        remote.add(Number.parseInt(peer?.split(":")[1] ?? "", 16));
      }
    }
  }
  return Object.entries(servers)
    .filter(([port]) => remote.has(ports[port as keyof typeof servers]))
    .map(([, server]) => server);
}

/** A descriptor may be closed while one looks. */
function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
