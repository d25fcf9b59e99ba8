import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";

/** A mail as the mail sink keeps it. */
export interface KeptMail {
  seq: number;
  /** As in the mail's header: `<order.kind@…>` of those that notification sends. */
  messageId: string;
  /** ISO 8601. */
  receivedAt: string;
  subject: string;
  /** How often its Message-ID came again. */
  doubles: number;
}

const pageSize = 500;
const timeoutMs = 5000;
const pollMs = 100;

/** Watches the mail sink for mails that orders are paid, from now on. */
export class PaidMails {
  readonly #sinkUrl: string;
  readonly #receivedMs = new Map<string, number>();
  #seen: number;

  private constructor(sinkUrl: string, seen: number) {
    this.#sinkUrl = sinkUrl;
    this.#seen = seen;
  }

  static async watch(sinkUrl: string): Promise<PaidMails> {
    return new PaidMails(sinkUrl, (await mailsAfter(sinkUrl, 0)).at(-1)?.seq ?? 0);
  }

  /**
   * Waits until each order has its mail, or so long.
   *
   * @returns when the sink received them, in milliseconds since 1970; those that have none are left out
   */
  async untilReceived(
    orderIds: readonly string[],
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Map<string, number>> {
    const deadline = Date.now() + withinMs;
    await this.#look();
    while (!orderIds.every((id) => this.#receivedMs.has(id)) && Date.now() < deadline) {
      await delay(pollMs, undefined, { signal });
      await this.#look();
    }
    return new Map(
      orderIds.filter((id) => this.#receivedMs.has(id)).map((id) => [id, this.#receivedMs.get(id) as number]),
    );
  }

  async #look(): Promise<void> {
    for (const { seq, messageId, receivedAt } of await mailsAfter(this.#sinkUrl, this.#seen)) {
      this.#seen = seq;
      const [, orderId, kind] = /^<?([\w-]+)\.(\w+)@/.exec(messageId) ?? [];
      if (orderId !== undefined && kind === "paid") {
        this.#receivedMs.set(orderId, Date.parse(receivedAt));
      }
    }
  }
}

/** All mails that came after one, in their order. */
export async function mailsAfter(sinkUrl: string, seq: number): Promise<KeptMail[]> {
  const all: KeptMail[] = [];
  for (;;) {
    const { statusCode, body } = await request(new URL("/api/mails", sinkUrl), {
      query: { after: all.at(-1)?.seq ?? seq, limit: pageSize },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    if (statusCode !== 200) {
      throw new Error(`The mail sink answered ${statusCode}: ${(await body.text()).slice(0, 200)}`);
    }
    const { mails } = (await body.json()) as { mails: KeptMail[] };
    all.push(...mails);
    if (mails.length < pageSize) {
      return all;
    }
  }
}
