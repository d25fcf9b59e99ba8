import { statSync } from "node:fs";
import { join } from "node:path";
import type { Ports } from "../../../infra/ports.ts";
import { holdersOf, remotePortsOf } from "../../../providers/host/src/ports.ts";
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

function connectionsOf(pid: number, ports: Ports): string[] {
  const remote = remotePortsOf(pid);
  return Object.entries(servers)
    .filter(([port]) => remote.has(ports[port as keyof typeof servers]))
    .map(([, server]) => server);
}
