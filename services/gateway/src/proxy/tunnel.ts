import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { errors } from "undici";
import { RefusedError } from "../call.ts";
import type { Outbound, Wires } from "./exchange.ts";

export interface TunnelOptions {
  outbound: Outbound;
  incoming: IncomingMessage;
  socket: Socket;
  /** What the caller has sent already after its request. */
  head: Buffer;
  /** For an answer that is no change of protocol. */
  outgoing: ServerResponse;
  wires: Wires;
}

/**
 * Hands a WebSocket on (RFC 6455 §4): the handshake to an instance, then the bytes of both sides, until either ends.
 *
 * @throws RefusedError when the instance does not change the protocol
 */
export async function tunnel({ outbound, incoming, socket, head, wires }: TunnelOptions): Promise<void> {
  const { upstream, key, pathAndQuery: path, headers } = outbound;
  const instance = upstream.pick(key);
  if (!instance) {
    throw new RefusedError({ status: 503, detail: `No instance of ${upstream.name} is healthy.` });
  }
  const startedMs = performance.now();
  const { connectMs, perTryMs } = upstream.policy.timeouts;
  let outcome: "success" | "failure" | "cancelled" = "failure";
  let latencyMs = 0;
  try {
    const gone = new AbortController();
    socket.once("close", () => gone.abort());
    const answer = await wires.pools.of(instance, connectMs).upgrade({
      path,
      headers,
      protocol: "websocket",
      signal: AbortSignal.any([gone.signal, AbortSignal.timeout(perTryMs)]),
    });
    latencyMs = performance.now() - startedMs;
    outcome = "success";
    socket.write(switching(answer.headers));
    if (head.length > 0) {
      answer.socket.write(head);
    }
    await Promise.all([pipeline(socket, answer.socket), pipeline(answer.socket, socket)]).catch(
      () => undefined,
    );
  } catch (error) {
    if (incoming.destroyed) {
      outcome = "cancelled";
      return;
    }
    throw refusalOf(error as Error, upstream.name);
  } finally {
    upstream.release(instance, outcome, latencyMs || performance.now() - startedMs);
  }
}

function refusalOf(error: Error, name: string): RefusedError {
  const isAnswered = error instanceof errors.SocketError || /bad upgrade/.test(error.message);
  return new RefusedError(
    { status: 502, detail: isAnswered ? `${name} takes no WebSocket here.` : `${name} did not answer.` },
    { cause: error },
  );
}

function switching(headers: Record<string, string | string[] | undefined>): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => `${name}: ${one}`),
  );
  return `${["HTTP/1.1 101 Switching Protocols", ...lines].join("\r\n")}\r\n\r\n`;
}
