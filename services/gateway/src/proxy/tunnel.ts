import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import type { Attempt } from "./attempt.ts";
import { Exchange, type Outbound, type Wires } from "./exchange.ts";
import { latin1 } from "./headers.ts";
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

/** How much may come from a caller before there is an instance to give it to: nothing is due then (RFC 6455 §4.1). */
const earlyBytes = 65_536;

/** Hands a WebSocket on (RFC 6455 §4): the handshake to an instance, then the bytes of both sides, until either ends. */
export class Tunnel extends Exchange {
  readonly #socket: Socket;
  readonly #early: Buffer[];
  #earlyBytes: number;
  readonly #onSwitch: () => void;

  constructor({ outbound, socket, head, sink, wires, onSwitch }: TunnelOptions) {
    // A handshake that has reached an instance may have begun something there.
    super({ ...outbound, isRepeatable: false, upgrade: "websocket" }, sink, wires, () => undefined);
    this.#socket = socket;
    this.#early = [head];
    this.#earlyBytes = head.length;
    this.#onSwitch = onSwitch;
  }

  open(): void {
    // Who isn't read from isn't seen to go, either.
    this.#socket.on("data", this.#keep).on("end", this.#leave);
    this.start();
  }

  override onSwitch(attempt: Attempt, rawHeaders: readonly (Buffer | string)[], instance: Duplex): void {
    super.onSwitch(attempt, rawHeaders, instance);
    const caller = this.#socket;
    caller.off("data", this.#keep).off("end", this.#leave);
    this.#onSwitch();
    caller.write(switching(rawHeaders));
    for (const bytes of this.#early) {
      instance.write(bytes);
    }
    join(caller, instance as Socket).finally(() => attempt.end("success"));
  }

  readonly #keep = (bytes: Buffer): void => {
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes > earlyBytes) {
      this.#socket.pause();
    }
  };

  /** Half a WebSocket is none. */
  readonly #leave = (): void => void this.#socket.destroy();
}

/** Hands on the bytes of both until either ends. What has come by then still leaves. */
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
