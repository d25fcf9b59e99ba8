import { createTransport, type Transporter } from "nodemailer";

export interface MailerOptions {
  host: string;
  port: number;
  /** The sender: an address, or a name with one in angle brackets. */
  from: string;
}

/** A mail, ready to be sent. */
export interface OutgoingMail {
  to: { name: string; address: string };
  /** With its angle brackets. */
  messageId: string;
  date: Date;
  subject: string;
  text: string;
}

/** One for each partition of the events, so that none waits for another's mail. */
const maxConnections = 8;

/** Sends mail over SMTP (RFC 5321), through connections that stay open. */
export class Mailer {
  readonly #transport: Transporter;
  readonly #from: string;

  constructor({ host, port, from }: MailerOptions) {
    this.#from = from;
    this.#transport = createTransport({
      pool: true,
      maxConnections,
      maxMessages: Number.POSITIVE_INFINITY,
      host,
      port,
      secure: false,
      // The lab's own server on the loopback interface has no certificate.
      ignoreTLS: true,
      connectionTimeout: 2000,
      greetingTimeout: 2000,
      socketTimeout: 5000,
      dnsTimeout: 2000,
    });
  }

  /**
   * Resolves once the server has taken the mail.
   *
   * @throws SmtpError
   */
  async send(mail: OutgoingMail): Promise<void> {
    try {
      await this.#transport.sendMail({
        ...mail,
        from: this.#from,
        // Texts of customers must never name files or addresses to read.
        disableFileAccess: true,
        disableUrlAccess: true,
      });
    } catch (error) {
      throw new SmtpError(error as NodemailerError);
    }
  }

  /** Closes the connections. */
  close(): void {
    this.#transport.close();
  }
}

interface NodemailerError {
  code?: string;
  /** What the server was asked when it refused. */
  command?: string;
  responseCode?: number;
}

/** A mail that was not sent. Servers quote the recipient in their replies, which has no business in a log: only codes are kept. */
export class SmtpError extends Error {
  override name = "SmtpError";
  readonly code: string;
  readonly command: string | undefined;
  readonly responseCode: number | undefined;

  constructor({ code = "EUNKNOWN", command, responseCode }: NodemailerError) {
    super(["The mail was not sent:", code, command, responseCode].filter(Boolean).join(" "));
    this.code = code;
    this.command = command;
    this.responseCode = responseCode;
  }
}

/** Codes of nodemailer for a server that can't be reached, or has stopped speaking (its `errors.ts`). */
const awayCodes = new Set(["ECONNECTION", "ETIMEDOUT", "ESOCKET", "EDNS", "EPROTOCOL"]);

/** Codes for a mail that it, or the server, won't have. */
const refusalCodes = new Set(["EENVELOPE", "EMESSAGE"]);

/** Whether a mail can't be sent now, but may be later: the server is away, or says so with a 4yz reply (RFC 5321, 4.2.1). */
export function isSmtpAway(error: unknown): boolean {
  if (!(error instanceof SmtpError)) {
    return false;
  }
  const { code, responseCode } = error;
  return responseCode === undefined ? awayCodes.has(code) : responseCode >= 400 && responseCode < 500;
}

/** Whether just this mail's recipient can't have it now: a full or busy mailbox, or a server that wants to be asked twice. */
export function isMailboxBusy(error: unknown): boolean {
  return isSmtpAway(error) && (error as SmtpError).command === "RCPT TO";
}

/** Whether a mail will never be taken: no usable address, or a 5yz reply. */
export function isSmtpRefusal(error: unknown): boolean {
  if (!(error instanceof SmtpError)) {
    return false;
  }
  const { code, responseCode } = error;
  return responseCode === undefined ? refusalCodes.has(code) : responseCode >= 500;
}
