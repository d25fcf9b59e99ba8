import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { until } from "../../../../tests/support/until.ts";

/** A connection on which bytes are sent as they are. */
export interface RawConnection {
  socket: Socket;
  /** What has come so far. */
  received(): string;
  /** Waits for something to have come. */
  see(part: string | RegExp): Promise<void>;
  /** Waits until the other side has closed. */
  closed: Promise<unknown>;
}

/** Connects, and sends text as latin1; closed with the test at the latest. */
export async function connectRaw(port: number, text: string): Promise<RawConnection> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  onTestFinished(() => void socket.destroy());
  // What is refused may be reset while more of it is sent.
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  await once(socket, "connect");
  let received = "";
  socket.on("data", (piece) => {
    received += piece.toString("latin1");
  });
  socket.write(text, "latin1");
  return {
    socket,
    received: () => received,
    see: (part) =>
      until(`${part}`, () => (typeof part === "string" ? received.includes(part) : part.test(received))),
    closed,
  };
}
