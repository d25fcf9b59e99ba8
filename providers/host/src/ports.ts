import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { commandOf, parentOf } from "./identity.ts";

/** Who listens on a TCP port. */
export interface Holder {
  port: number;
  /** `undefined` where the process belongs to another user. */
  pid?: number;
  command?: string;
}

/** The states `LISTEN` and `ESTABLISHED` in `/proc/net/tcp` (proc(5)). */
const [listening, established] = ["0A", "01"];

/** Those of the ports that something listens on, and what; several processes may share one (`SO_REUSEPORT`, socket(7)). */
export function holdersOf(ports: readonly number[]): Holder[] {
  const sockets = listeningSockets(ports);
  const pids = new Map<string, number[]>();
  for (const [socket, pid] of sockets.size > 0 ? openSockets() : []) {
    if (sockets.has(socket)) {
      pids.set(socket, [...(pids.get(socket) ?? []), pid]);
    }
  }
  // Who was not seen to have its socket is another user's, or has ended between the two looks.
  const left = pids.size < sockets.size ? listeningSockets(ports) : sockets;
  const holders = [...sockets]
    .filter(([socket]) => pids.has(socket) || left.has(socket))
    .map(([socket, port]) => ({ port, pid: firstOf(pids.get(socket) ?? []) }));
  return [...new Map(holders.map((holder) => [`${holder.port} ${holder.pid}`, holder])).values()]
    .map(({ port, pid }) => ({ port, ...(pid === undefined ? {} : { pid, command: commandOf(pid) }) }))
    .sort((one, other) => one.port - other.port);
}

/** The one that the others descend from: a child has its parent's sockets, if only until it runs another program. */
function firstOf(pids: number[]): number | undefined {
  return pids.find((one) => !pids.includes(parentOf(one) ?? 0));
}

/** The ports that a process is connected to, wherever. */
export function remotePortsOf(pid: number): Set<number> {
  const own = new Set(openSocketsOf(pid));
  return new Set(
    tcpSockets()
      .filter(({ socket, state }) => state === established && own.has(socket))
      .map(({ remotePort }) => remotePort),
  );
}

/** The sockets that listen on one of the ports. */
function listeningSockets(ports: readonly number[]): Map<string, number> {
  return new Map(
    tcpSockets()
      .filter(({ state, localPort }) => state === listening && ports.includes(localPort))
      .map(({ socket, localPort }) => [socket, localPort]),
  );
}

interface TcpSocket {
  /** As a descriptor that is open for it names it. */
  socket: string;
  state: string | undefined;
  localPort: number;
  remotePort: number;
}

function tcpSockets(): TcpSocket[] {
  const portOf = (address = "") => Number.parseInt(address.split(":")[1] ?? "", 16);
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap(linesOf).map((line) => {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
    return { socket: `socket:[${inode}]`, state, localPort: portOf(local), remotePort: portOf(remote) };
  });
}

/** A holder in words: `port 18000 is taken by process 4711 (consul agent …)`. */
export function describeHolder({ port, pid, command }: Holder): string {
  const who = pid === undefined ? "a process of another user" : `process ${pid} (${short(command ?? "")})`;
  return `port ${port} is taken by ${who}`;
}

/** On one line, and not too long for one. */
function short(command: string): string {
  const line = command.replaceAll(/\s+/g, " ");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(1);
  } catch {
    return [];
  }
}

function openSockets(): Array<[socket: string, pid: number]> {
  return processes().flatMap((pid) =>
    [...openSocketsOf(pid)].map((socket): [string, number] => [socket, pid]),
  );
}

/** What the descriptors of a process are open for. */
function* openSocketsOf(pid: number): Generator<string> {
  for (const descriptor of descriptorsOf(pid)) {
    try {
      yield readlinkSync(`/proc/${pid}/fd/${descriptor}`);
    } catch {
      // Closed while one looks.
    }
  }
}

function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    // Gone meanwhile, or another user's.
    return [];
  }
}

/** The pids of all processes. */
export function processes(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * The first of so many consecutive ports that are free. They lie below Linux's range for outgoing connections, which
 * could take one later.
 */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const base = 20_000 + Math.floor(Math.random() * 120) * 100;
    const free = await Promise.all(Array.from({ length: count }, (_, offset) => isFree(base + offset)));
    if (free.every(Boolean)) {
      return base;
    }
  }
  throw new Error(`No ${count} consecutive ports are free between 20000 and 32000.`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}
