import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type RawMessage, takeMessage } from "./raw-http.ts";

/** An instance that records what arrives, byte for byte, and answers whatever bytes a test wants. */
export interface RawUpstream {
  port: number;
  /** What has arrived since `expectNothing`. */
  requests: RawMessage[];
  /** All bytes since then, also of a request that isn't whole. */
  received(): string;
  /** What it answers from now on; a socket that it closes behind it ends with `close`. */
  answerWith(bytes: string, options?: { close?: boolean }): void;
  /** Forgets what has arrived. */
  expectNothing(): void;
  stop(): Promise<void>;
}

const healthy = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Starts it on a free port. Requests for its health are answered well, and not recorded. */
export async function startRawUpstream(): Promise<RawUpstream> {
  const requests: RawMessage[] = [];
  const sockets = new Set<Socket>();
  let answer = { bytes: healthy, close: false };
  let received = "";

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let waiting = "";
    socket.on("data", (piece) => {
      const text = piece.toString("latin1");
      waiting += text;
      if (isProbe(waiting)) {
        waiting = "";
        socket.write(healthy);
        return;
      }
      received += text;
      for (let taken = takeMessage(waiting); taken; taken = takeMessage(waiting)) {
        waiting = taken.rest;
        requests.push(taken.message);
        socket.write(answer.bytes, "latin1");
        if (answer.close) {
          socket.end();
        }
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    received: () => received,
    answerWith(bytes, { close = false } = {}) {
      answer = { bytes, close };
    },
    expectNothing() {
      requests.length = 0;
      received = "";
    },
    async stop() {
      for (const socket of sockets) {
        socket.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}

function isProbe(bytes: string): boolean {
  return /^GET \/(livez|readyz) /.test(bytes);
}
