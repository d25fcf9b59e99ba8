import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A wire to an SMTP server, which can hold back the answer to a mail, and make mailboxes busy. */
export interface SmtpWire {
  port: number;
  /** Resolves when the server has answered for a mail that it has taken; the answer never arrives. */
  loseNextAnswer(): Promise<void>;
  /** Whether the server calls all mailboxes busy. */
  isBusy: boolean;
  stop(): void;
}

/** What ends a mail (RFC 5321, 4.1.1.4). */
const endOfMail = "\r\n.\r\n";

/** Lays a wire from a free port to a server on this machine. */
export async function startSmtpWire(smtpPort: number): Promise<SmtpWire> {
  let lost: (() => void) | undefined;
  const sockets = new Set<Socket>();
  const wire: SmtpWire = {
    port: 0,
    isBusy: false,
    loseNextAnswer: () =>
      new Promise((resolve) => {
        lost = resolve;
      }),
    stop() {
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
  const server = createServer((client) => {
    const upstream = connect(smtpPort, "127.0.0.1");
    // The end may come in pieces.
    let tail = "";
    let rcpt = "";
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.on("data", (piece) => {
      tail = `${tail}${piece.toString("latin1")}`.slice(-endOfMail.length);
      rcpt = /^RCPT TO:<(.+)>/m.exec(piece.toString("latin1"))?.[1] ?? "";
      upstream.write(piece);
    });
    upstream.on("data", (piece) => {
      if (wire.isBusy && rcpt !== "") {
        client.write(`450 4.2.1 ${rcpt} is busy\r\n`);
        rcpt = "";
      } else if (tail === endOfMail && lost) {
        lost();
        lost = undefined;
      } else {
        // Without pipelining (RFC 2920) each answer is to one command.
        client.write(piece.toString("latin1").replace("PIPELINING", "8BITMIME"), "latin1");
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  wire.port = (server.address() as AddressInfo).port;
  return wire;
}
