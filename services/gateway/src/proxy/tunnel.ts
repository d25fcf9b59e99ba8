import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import type { Instance, Outcome } from "@lab/discovery";
import type { Dispatcher } from "undici";
import type { Course, Outbound, Wires } from "./exchange.ts";
import { latin1, responseHeaders } from "./headers.ts";
import type { Sink } from "./sink.ts";

export interface TunnelOptions {
  outbound: Outbound;
  /** The caller's end. */
  socket: Socket;
  /** What the caller has sent already after its request. */
  head: Buffer;
  /** Takes an answer that is no change of protocol. */
  sink: Sink;
  wires: Wires;
  /** Told once the protocol has changed. */
  onSwitch(): void;
}

/** Hands a WebSocket on (RFC 6455 §4): the handshake to an instance, then the bytes of both sides, until either ends. */
export class Tunnel implements Dispatcher.DispatchHandler, Course {
  readonly #options: TunnelOptions;
  readonly #startedMs = performance.now();
  /** The one that was asked. */
  instance: Instance | undefined;
  upstreamMs = 0;
  cause: string | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
  }

  get attempts(): number {
    return this.instance ? 1 : 0;
  }

  cancel(): void {
    this.#controller?.abort(new Error("the caller went away"));
  }

  open(): void {
    const { outbound, sink, wires } = this.#options;
    const { upstream, key, pathAndQuery: path, headers } = outbound;
    const instance = upstream.pick(key);
    if (!instance) {
      sink.unanswered({
        status: 503,
        detail: `No instance of ${upstream.name} is healthy. \`lab status\` shows why.`,
        cause: "no instance",
      });
      return;
    }
    this.instance = instance;
    const { connectMs, perTryMs } = upstream.policy.timeouts;
    this.#timer = setTimeout(() => this.#controller?.abort(new Error("timeout")), perTryMs);
    wires.pools
      .of(instance, connectMs)
      .dispatch({ method: "GET", path, headers, upgrade: "websocket" }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    _status: number,
    _headers: IncomingHttpHeaders,
    upstreamSocket: Duplex,
  ): void {
    const { socket, head, onSwitch } = this.#options;
    this.#answered();
    onSwitch();
    socket.write(switching((controller.rawHeaders ?? []) as (Buffer | string)[]));
    if (head.length > 0) {
      upstreamSocket.write(head);
    }
    join(socket, upstreamSocket as Socket).finally(() => this.#release("success"));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: IncomingHttpHeaders,
    statusText = "",
  ): void {
    this.#answered();
    const raw = (controller.rawHeaders ?? []) as (Buffer | string)[];
    this.#options.sink.head(status, statusText, responseHeaders(raw));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#options.sink.data(chunk, () => controller.resume())) {
      controller.pause();
    }
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    this.#release("success");
    this.#options.sink.end(trailers);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { outbound, sink, socket } = this.#options;
    const isAnswered = this.upstreamMs > 0;
    this.#answered();
    this.cause = (error as NodeJS.ErrnoException).code ?? error.message;
    if (socket.destroyed) {
      this.#release("cancelled");
      return;
    }
    this.#release("failure");
    if (isAnswered) {
      sink.broken();
      return;
    }
    const { name } = outbound.upstream;
    const { cause } = this;
    sink.unanswered(
      cause === "timeout"
        ? { status: 504, detail: `${name} did not answer in time. Try again in a moment.`, cause }
        : { status: 502, detail: `An instance of ${name} did not answer (${cause}). Try again.`, cause },
    );
  }

  #answered(): void {
    clearTimeout(this.#timer);
    this.upstreamMs ||= performance.now() - this.#startedMs;
  }

  #release(outcome: Outcome): void {
    this.#options.outbound.upstream.release(this.instance as Instance, outcome, this.upstreamMs);
  }
}

/** Hands on the bytes of both until either ends: half a WebSocket is none. What has come by then still leaves. */
async function join(one: Socket, other: Socket): Promise<void> {
  const ended = [one, other].map((socket) => finished(socket, { writable: false }).catch(() => undefined));
  one.pipe(other).pipe(one);
  await Promise.race(ended);
  one.destroySoon();
  other.destroySoon();
}

/** The instance's own consent, with its headers: they are what makes the handshake. */
function switching(raw: readonly (Buffer | string)[]): string {
  const lines = raw.flatMap((name, index) =>
    index % 2 === 0 ? [`${latin1(name)}: ${latin1(raw[index + 1] ?? "")}`] : [],
  );
  return `${["HTTP/1.1 101 Switching Protocols", ...lines].join("\r\n")}\r\n\r\n`;
}
