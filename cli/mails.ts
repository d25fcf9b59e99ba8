import { request } from "undici";

/** A mail as the mail sink keeps it. */
export interface KeptMail {
  seq: number;
  /** `<…>` as in the mail's header. */
  messageId: string;
  /** ISO 8601. */
  receivedAt: string;
  subject: string;
}

const pageSize = 500;
const timeoutMs = 5000;

/** All mails that came after one, in their order. */
export async function mailsAfter(sinkUrl: string, seq: number): Promise<KeptMail[]> {
  const all: KeptMail[] = [];
  for (;;) {
    const { mails } = await page(sinkUrl, all.at(-1)?.seq ?? seq, pageSize);
    all.push(...mails);
    if (mails.length < pageSize) {
      return all;
    }
  }
}

/** The last mail's number. */
export async function lastMail(sinkUrl: string): Promise<number> {
  return (await mailsAfter(sinkUrl, 0)).at(-1)?.seq ?? 0;
}

async function page(sinkUrl: string, after: number, limit: number): Promise<{ mails: KeptMail[] }> {
  const { statusCode, body } = await request(new URL("/api/mails", sinkUrl), {
    query: { after, limit },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  if (statusCode !== 200) {
    throw new Error(`The mail sink answered ${statusCode}: ${(await body.text()).slice(0, 200)}`);
  }
  return (await body.json()) as { mails: KeptMail[] };
}
