import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Logger } from "@lab/service-kit";
import { simpleParser } from "mailparser";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import type { IncomingMail, MailStore } from "./store.ts";

/** The largest mail that is taken; announced to clients (RFC 1870). */
export const maxMailBytes = 1024 * 1024;

/** What a line of a header may be long (RFC 5322, 2.1.1); longer ones are cut. */
const maxHeaderLength = 998;

/** How long clients have, when the service ends, to finish what they send. */
const closeTimeoutMs = 2000;

/** Listens for mail on this machine only, and asks nobody who they are. */
export class SmtpSink {
  readonly #server: SMTPServer;
  readonly #log: Logger;

  constructor(store: MailStore, log: Logger) {
    this.#log = log;
    this.#server = new SMTPServer({
      name: "mail.localhost",
      disabledCommands: ["AUTH", "STARTTLS"],
      disableReverseLookup: true,
      size: maxMailBytes,
      closeTimeout: closeTimeoutMs,
      onData: (stream, session, done) => {
        receive(stream, session)
          .then((mail) => {
            // A callback is the 250: only now is the mail ours.
            const doubles = store.save(mail);
            log.info({ messageId: mail.messageId, doubles }, doubles === 0 ? "mail" : "double of a mail");
            done();
          })
          .catch((error: Error & { responseCode?: number }) => {
            log.error({ err: error }, "mail refused");
            done(error.responseCode ? error : refusal(451, "The mail could not be stored. Try again."));
          });
      },
    });
    // Clients that break off are nothing that the sink could do something about.
    this.#server.on("error", (error) => log.warn({ err: error }, "smtp connection"));
  }

  /** @param port 0 for a free one, which is logged */
  async listen(port: number): Promise<void> {
    const server = this.#server.listen(port, "127.0.0.1");
    await once(server, "listening");
    this.#log.info({ smtpPort: (server.address() as AddressInfo).port }, "smtp listens");
  }

  /** @throws Error unless it listens */
  check(): void {
    if (!this.#server.server.listening) {
      throw new Error("SMTP does not listen");
    }
  }

  close(): Promise<void> {
    return new Promise((done) => this.#server.close(done));
  }
}

async function receive(stream: SMTPServerDataStream, { envelope }: SMTPServerSession): Promise<IncomingMail> {
  const pieces: Buffer[] = [];
  for await (const piece of stream as AsyncIterable<Buffer>) {
    // What is too much is read and dropped: the client listens only after its last line.
    if (!stream.sizeExceeded) {
      pieces.push(piece);
    }
  }
  if (stream.sizeExceeded) {
    throw refusal(552, `The mail is larger than ${maxMailBytes} bytes.`);
  }
  const source = Buffer.concat(pieces);
  const { messageId, from, subject = "", text = "" } = await simpleParser(source, { skipTextToHtml: true });
  if (messageId && messageId.length > maxHeaderLength) {
    throw refusal(550, `The Message-ID is longer than ${maxHeaderLength} characters.`);
  }
  return {
    // Without one nothing says that a mail came before: each is kept.
    messageId: messageId ?? `<${randomUUID()}@mail.localhost>`,
    from: (from?.text ?? (envelope.mailFrom ? envelope.mailFrom.address : "")).slice(0, maxHeaderLength),
    recipients: envelope.rcptTo.map(({ address }) => address),
    subject: subject.slice(0, maxHeaderLength),
    text,
    sizeBytes: source.length,
  };
}

function refusal(responseCode: number, message: string): Error & { responseCode: number } {
  return Object.assign(new Error(message), { responseCode });
}
