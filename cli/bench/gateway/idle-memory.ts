import { once } from "node:events";
import { connect, type Socket } from "node:net";
import pLimit from "p-limit";
import { residentBytesOf } from "../memory.ts";
import type { Contestant } from "./contestants.ts";

/** How many connections are made at the same time. */
const atOnce = 50;

/**
 * What idle connections take of a proxy's memory, in bytes for a thousand: each had one request and its answer, and is kept.
 *
 * @throws Error when a connection gets no answer
 */
export async function idleBytesPer1000(
  { name, pids, url, token }: Contestant,
  connections: number,
): Promise<number> {
  const before = residentBytes(pids);
  const limit = pLimit(atOnce);
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => limit(() => used(new URL(url), name, token))),
  );
  const after = residentBytes(pids);
  for (const socket of sockets) {
    socket.destroy();
  }
  return Math.round(((after - before) / connections) * 1000);
}

function residentBytes(pids: number[]): number {
  return pids.map(residentBytesOf).reduce((sum, bytes) => sum + bytes, 0);
}

/** A connection that has had its answer. */
async function used({ hostname, port, pathname }: URL, name: string, token?: string): Promise<Socket> {
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  const authorization = token ? `Authorization: Bearer ${token}\r\n` : "";
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${authorization}\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 200 ")) {
    throw new Error(`${name} answered ${JSON.stringify(answer.toString("latin1").slice(0, 80))}.`);
  }
  return socket.resume();
}
