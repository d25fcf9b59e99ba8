import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import { closeServer } from "@lab/service-kit";
import * as metrics from "./metrics.ts";
import { type Refusal, refuse, refuseSocket } from "./problems.ts";

export interface FrontDoorOptions {
  onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void;
  onUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Larger heads are refused with 431. */
const maxHeaderBytes = 16_384;
/** How long the head of a request may take. A slow one costs little, as nobody else waits for it, but not nothing. */
const headMs = 5000;
const checkMs = 1000;
const keepAliveMs = 60_000;
/** Connections that may wait to be taken. */
const backlog = 1024;
const takenMs = 30_000;
const takenStepMs = 100;
/** How long callers have to hear that their connections end, before those that are idle are closed. */
const drainMs = 2000;
const drainStepMs = 50;
/** A port to which nobody connects for so long has nothing in its queue. Below the second after which attempts are repeated. */
const quietMs = 20;
const emptyMs = 900;

/**
 * The public port. Several instances of the gateway may share it (`SO_REUSEPORT`): the kernel gives each new connection to one of
 * them.
 */
export class FrontDoor {
  readonly #server: Server;
  /** What Node.js no longer counts among the connections that it can close. */
  readonly #upgraded = new Set<Duplex>();
  #state: "closed" | "taken" | "open" = "closed";
  #isClosing = false;

  constructor({ onRequest, onUpgrade }: FrontDoorOptions) {
    const onReadable = (incoming: IncomingMessage, outgoing: ServerResponse) => {
      if (!/^chunked$/i.test(incoming.headers["transfer-encoding"] ?? "chunked")) {
        // The header does not go on, but its coding would stay on the body. And Node.js notices only behind the head.
        const detail = "Only chunked is understood as a Transfer-Encoding.";
        inTurn(incoming, outgoing, () => refuse(incoming, outgoing, { status: 400, detail, closes: true }));
      } else {
        inTurn(incoming, outgoing, onRequest);
      }
    };
    this.#server = createServer({
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headMs,
      // A body may take its time as long as something comes: see `Attempt` and `bodyOf`.
      requestTimeout: 0,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: keepAliveMs,
      // Another one is not for this server, and the request an ordinary one (RFC 9110 §7.8): curl offers h2c by itself.
      shouldUpgradeCallback: isWebSocket,
    })
      .on("request", onReadable)
      // Answered when the body is wanted: not before it is known that it will be.
      .on("checkContinue", onReadable)
      .on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) =>
        refuse(incoming, outgoing, {
          status: 417,
          detail: "Only `Expect: 100-continue` is understood.",
          closes: true,
        }),
      )
      .on("upgrade", (incoming, socket: Connection, head) => {
        if (isUnderWay(socket[lastAnswer])) {
          // Its bytes would come into the answer before it.
          socket.destroy();
          return;
        }
        this.#upgraded.add(socket);
        socket.on("error", () => socket.destroy()).once("close", () => this.#upgraded.delete(socket));
        // Node.js before 24.9 hands all of them on.
        if (isWebSocket(incoming)) {
          onUpgrade(incoming, socket, head);
        } else {
          refuseSocket(socket, { status: 400, detail: "Only WebSocket is a protocol to go on with." });
        }
      })
      .on("clientError", onClientError);
  }

  /**
   * Begins to listen. A port that is taken is tried again for a while: a gateway that doesn't share it, of a version before, may still
   * have it, and goes when this one runs. A door that is closed meanwhile does not open.
   */
  async listen(port: number, host: string): Promise<void> {
    const endMs = performance.now() + takenMs;
    while (!this.#isClosing) {
      this.#server.listen({ port, host, reusePort: true, backlog });
      try {
        await once(this.#server, "listening");
        if (this.#isClosing) {
          this.#server.close();
          return;
        }
        this.#state = "open";
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || performance.now() > endMs) {
          throw error;
        }
        this.#state = "taken";
        await delay(takenStepMs);
      }
    }
  }

  /** `taken`: another process has the port for itself still. */
  get state(): "closed" | "taken" | "open" {
    return this.#state;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /**
   * Takes connections until the end, so that none is lost that the kernel has already given to this instance; says on each answer
   * that its connection closes; and closes when none is left, or after a while those that are idle, and WebSockets, which would
   * never end by themselves.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#state !== "open") {
      return;
    }
    const endMs = performance.now() + drainMs;
    while (performance.now() < endMs && (await this.#connections()) > 0) {
      await delay(drainStepMs);
    }
    for (const socket of this.#upgraded) {
      socket.destroy();
    }
    await this.#emptyQueue();
    await closeServer(this.#server);
  }

  /**
   * Waits until no connection is in the port's queue: Linux resets those that are there when it closes, and Node.js takes one in each turn of
   * its loop. With a queue of one the kernel drops further attempts to connect; their callers repeat them a second later, and find the
   * other gateway then.
   */
  async #emptyQueue(): Promise<void> {
    // Node.js has no public way to listen again with another backlog.
    (this.#server as Server & { _handle?: { listen?(backlog: number): number } })._handle?.listen?.(0);
    const endMs = performance.now() + emptyMs;
    let takenMs = performance.now();
    this.#server.on("connection", () => {
      takenMs = performance.now();
    });
    while (performance.now() < endMs && performance.now() - takenMs < quietMs) {
      await delay(quietMs / 4);
      // Only after the loop has looked for connections does it count that none has come.
      await setImmediate();
    }
  }

  #connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  }
}

/** A handshake is a GET (RFC 6455 §4.1): what may be asked without a token is decided by the method. */
function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && /^websocket$/i.test(headers.upgrade ?? "");
}

/** On a connection: the answer that it waits for, or has had last; and how many requests wait for their turn. */
const lastAnswer = Symbol("the last answer");
const waiting = Symbol("the number of waiting requests");

type Connection = Duplex & { [lastAnswer]?: ServerResponse; [waiting]?: number };

/** More than that are sent by nobody who reads the answers; each takes memory until its turn. */
const maxWaiting = 32;

function isUnderWay(answer: ServerResponse | undefined): answer is ServerResponse {
  return answer !== undefined && !answer.closed;
}

/**
 * Requests that were sent without waiting for answers are handled one after the other: what the second reads may be what the first
 * writes (RFC 9112 §9.3.2).
 */
function inTurn(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: FrontDoorOptions["onRequest"],
): void {
  const socket: Connection = incoming.socket;
  const before = socket[lastAnswer];
  socket[lastAnswer] = outgoing;
  if (!isUnderWay(before)) {
    handle(incoming, outgoing);
    return;
  }
  const count = (socket[waiting] ?? 0) + 1;
  socket[waiting] = count;
  if (count > maxWaiting) {
    socket.destroy();
    return;
  }
  before.once("close", () => {
    socket[waiting] = (socket[waiting] ?? 1) - 1;
    if (!socket.destroyed) {
      handle(incoming, outgoing);
    }
  });
}

/** What Node.js could not read as a request, or what did not come. */
function onClientError(error: NodeJS.ErrnoException, socket: Connection): void {
  const { code = "" } = error;
  const answer = socket[lastAnswer];
  // Into an answer that has begun nothing else may be written.
  const hasBegun = isUnderWay(answer) && answer.headersSent;
  if (code === "ECONNRESET" || !socket.writable || hasBegun) {
    socket.destroy();
    return;
  }
  metrics.refusedConnections.inc({ cause: causeOf(code) });
  refuseSocket(socket, refusalOf(code));
}

function causeOf(code: string): string {
  return code === "HPE_HEADER_OVERFLOW"
    ? "large head"
    : code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? "slow head"
      : "malformed";
}

function refusalOf(code: string): Refusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, detail: `The head of a request may have ${maxHeaderBytes} bytes.` };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, detail: `The head of the request did not come in ${headMs / 1000} s.` };
    default:
      return { status: 400, detail: "This is no request of HTTP/1.1." };
  }
}
