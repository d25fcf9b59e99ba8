import { type OutboxRelay, transaction } from "@lab/mysql";
import { currentWork, type Logger } from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { letterFor } from "./letter.ts";
import { isSmtpRefusal, type Mailer } from "./mailer.ts";
import { type DueMail, markRefused, markSent } from "./mails.ts";

/** What delivering needs. */
export interface PostOffice {
  pool: Pool;
  mailer: Pick<Mailer, "send">;
  relay: Pick<OutboxRelay, "wake">;
  log: Logger;
}

/**
 * Sends mails that are due, one after another, and writes down each. After a crash in between it sends the same mail again,
 * with the same Message-ID, by which the server knows it.
 */
export async function deliver(office: PostOffice, mails: DueMail[]): Promise<void> {
  const { pool, relay } = office;
  const log = currentWork()?.log ?? office.log;
  for (const mail of mails) {
    const { orderId, messageId } = mail;
    try {
      await send(office, mail);
    } catch (error) {
      if (!isSmtpRefusal(error)) {
        throw error;
      }
      await markRefused(pool, mail);
      log.error({ orderId, messageId, err: withoutAddresses(error) }, "the mail server refuses a mail");
      continue;
    }
    await transaction(pool, (connection) => markSent(connection, mail));
    relay.wake();
    log.info({ orderId, messageId }, "sent a mail");
  }
}

function send({ mailer }: PostOffice, mail: DueMail): Promise<void> {
  const { kind, name, email, messageId, createdAt } = mail;
  return mailer.send({
    ...letterFor(kind, mail),
    to: { name, address: email },
    messageId,
    date: createdAt,
  });
}

/** Servers quote the recipient in their replies, which has no business in a log. */
function withoutAddresses(error: unknown): { code?: string; responseCode?: number } {
  const { code, responseCode } = error as { code?: string; responseCode?: number };
  return { code, responseCode };
}
