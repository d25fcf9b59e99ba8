import { Rounds } from "@lab/mysql";
import { deliver, type PostOffice } from "./deliver.ts";
import { postponedMails } from "./mails.ts";

export interface ResendOptions {
  office: PostOffice;
  intervalMs: number;
  /** How long a busy mailbox is left alone. */
  afterMs: number;
}

/** Tries again, now and then, to send the mails that were postponed because a mailbox was busy. */
export function resend({ office, intervalMs, afterMs }: ResendOptions): Rounds {
  return new Rounds({
    pool: office.pool,
    name: "resend",
    intervalMs,
    log: office.log,
    async round() {
      await deliver(office, await postponedMails(office.pool, afterMs));
    },
  });
}
