import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import { type AppEnvironment, Problem } from "@lab/service-kit";
import type { Context } from "hono";
import { html, raw } from "hono/html";
import { address, seq } from "./mails.ts";
import type { MailStore, MailSummary } from "./store.ts";

type Html = ReturnType<typeof html>;

const pageSize = 50;

const listQuery = z.object({
  to: z.preprocess((text) => text || undefined, address.optional()).catch(undefined),
  before: seq.default(Number.MAX_SAFE_INTEGER).catch(Number.MAX_SAFE_INTEGER),
});

/** The mails for people: pages without a script, or anything from elsewhere. */
export function pages(app: OpenAPIHono<AppEnvironment>, store: MailStore): void {
  app.get("/", (c) => {
    const { to, before } = listQuery.parse(c.req.query());
    return show(c, "Mails", list(store, to, before));
  });

  app.get("/mails/:seq", (c) => {
    const number = seq.safeParse(c.req.param("seq")).data;
    const mail = number === undefined ? undefined : store.find(number);
    if (!mail) {
      throw new Problem(404, "There is no such mail.");
    }
    return show(
      c,
      mail.subject || "(no subject)",
      html`<p><a href="/">All mails</a></p>
        <dl>
          <dt>From</dt><dd>${mail.from}</dd>
          <dt>To</dt><dd>${mail.to.join(", ")}</dd>
          <dt>Received</dt><dd><time datetime="${mail.receivedAt}">${mail.receivedAt}</time></dd>
          <dt>Message-ID</dt><dd><code>${mail.messageId}</code></dd>
          <dt>Doubles</dt><dd>${doublesOf(mail)}</dd>
        </dl>
        <pre>${mail.text}</pre>`,
    );
  });
}

function list(store: MailStore, to: string | undefined, before: number): Html {
  const mails = store.before(before, pageSize, to);
  const { total, doubles } = store.count(to);
  const oldest = mails.length === pageSize ? mails.at(-1)?.seq : undefined;
  const older = new URLSearchParams({ ...(to ? { to } : {}), before: String(oldest) });
  return html`<form>
      <label>To <input type="search" name="to" value="${to ?? ""}" placeholder="anyone" /></label>
      <button>Show</button>
    </form>
    <p>${total} ${total === 1 ? "mail" : "mails"}, ${doubles} ${doubles === 1 ? "double" : "doubles"}.</p>
    <table>
      <thead><tr><th>Received</th><th>To</th><th>Subject</th><th>Doubles</th></tr></thead>
      <tbody>${mails.map(line)}</tbody>
    </table>
    ${oldest === undefined ? "" : html`<p><a href="/?${older.toString()}">Older mails</a></p>`}`;
}

function line(mail: MailSummary): Html {
  return html`<tr>
    <td><time datetime="${mail.receivedAt}">${mail.receivedAt.slice(0, 19).replace("T", " ")}</time></td>
    <td>${mail.to.join(", ")}</td>
    <td><a href="/mails/${mail.seq}">${mail.subject || "(no subject)"}</a></td>
    <td>${doublesOf(mail)}</td>
  </tr>`;
}

function doublesOf({ doubles }: MailSummary): Html {
  return doubles === 0 ? html`none` : html`<strong>${doubles}</strong>`;
}

function show(c: Context, title: string, body: Html) {
  c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'");
  c.header("x-content-type-options", "nosniff");
  return c.html(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <title>${title}</title>
          <style>${raw(style)}</style>
        </head>
        <body><main><h1>${title}</h1>${body}</main></body>
      </html>`,
  );
}

const style = `
  :root { color-scheme: light dark; --line: #ccc; --soft: #f4f4f4; }
  @media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #262626; } }
  body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; }
  main { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
  h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid var(--line); }
  td { overflow-wrap: anywhere; }
  td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--soft); padding: 1rem; border-radius: 4px; }
`;
