import { type OutboxRelay, transaction } from "@lab/mysql";
import { currentWork, type Logger } from "@lab/service-kit";
import type { Pool } from "mysql2/promise";
import { letterFor } from "./letter.ts";
import { isMailboxBusy, isSmtpRefusal, type Mailer } from "./mailer.ts";
import { type DueMail, markRefused, markSent, postpone } from "./mails.ts";

/** What delivering needs. */
export interface PostOffice {
  pool: Pool;
  mailer: Pick<Mailer, "send">;
  relay: Pick<OutboxRelay, "wake">;
  log: Logger;
}

/** How long a busy mailbox is tried (RFC 5321, 4.5.4.1). */
const givenUpAfterMs = 5 * 24 * 60 * 60 * 1000;

/**
 * Sends mails that are due, one after another, and writes down each. After a crash in between it sends the same mail again,
 * with the same Message-ID, by which the server knows it. A mailbox that is busy keeps no other's mail waiting: its mail stays due,
 * and is sent again by `resend.ts`.
 */
export async function deliver(office: PostOffice, mails: DueMail[]): Promise<void> {
  const { pool, relay } = office;
  const log = currentWork()?.log ?? office.log;
  for (const mail of mails) {
    const { orderId, messageId } = mail;
    try {
      await send(office, mail);
    } catch (error) {
      const isBusy = isMailboxBusy(error);
      if (isBusy && Date.now() - mail.createdAt.getTime() < givenUpAfterMs) {
        await postpone(pool, mail);
        log.warn({ orderId, messageId, err: error }, "a mailbox takes no mail for now");
      } else if (isBusy || isSmtpRefusal(error)) {
        await markRefused(pool, mail);
        log.error({ orderId, messageId, err: error }, "the mail server refuses a mail");
      } else {
        throw error;
      }
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
