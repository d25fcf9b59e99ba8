import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createTransport, type SendMailOptions } from "nodemailer";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ServiceProcess, startService } from "../../../tests/servers/service.ts";
import { fuzz } from "../../../tests/support/fuzz/check.ts";
import type { ApiDocument } from "../../../tests/support/fuzz/operations.ts";
import type { Mail } from "./store.ts";

interface Page {
  mails: Mail[];
  total: number;
  doubles: number;
}

let folder: string;
let sink: ServiceProcess;
let smtpPort = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab mail "));
  sink = await start();
  smtpPort = Number(sink.logged.join("\n").match(/"smtpPort":(\d+)/)?.[1]);
});

afterAll(async () => {
  await sink.kill();
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  expect((await fetch(`${sink.url}/api/mails`, { method: "DELETE" })).status).toBe(204);
});

function start(port = 0): Promise<ServiceProcess> {
  return startService("mail", {
    PORT: String(port),
    DATA_DIR: join(folder, "data"),
    SMTP_PORT: String(smtpPort),
  });
}

/** Sends a mail on a connection of its own; rejects when the sink does not take it. */
async function send(mail: SendMailOptions): Promise<void> {
  const transport = createTransport({ host: "127.0.0.1", port: smtpPort, ignoreTLS: true });
  try {
    await transport.sendMail({
      from: "shop@example.org",
      to: "riya@example.org",
      subject: "Hello",
      text: "Good day.",
      ...mail,
    });
  } finally {
    transport.close();
  }
}

async function mails(query = ""): Promise<Page> {
  const answer = await fetch(`${sink.url}/api/mails?${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Page;
}

async function page(path: string): Promise<string> {
  const answer = await fetch(`${sink.url}${path}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  return answer.text();
}

test("keeps a mail, and gives it by the address that it was sent to", async () => {
  await send({
    to: ["riya@example.org", "Sneha@example.org"],
    messageId: "<1@shop>",
    subject: "Grüße",
    text: "Ja.",
  });
  await send({ to: "arjun@example.org", messageId: "<2@shop>" });
  const { mails: found, total, doubles } = await mails("to=sneha@example.ORG");
  expect({ total, doubles }).toEqual({ total: 1, doubles: 0 });
  expect(found).toMatchObject([
    { messageId: "<1@shop>", from: "shop@example.org", to: ["riya@example.org", "Sneha@example.org"] },
  ]);
  const answer = await fetch(`${sink.url}/api/mails/${found[0]?.seq}`);
  expect(await answer.json()).toMatchObject({ subject: "Grüße", text: expect.stringMatching(/^Ja\.\s*$/) });
  expect((await mails()).total).toBe(2);
});

test("no input makes it fail, and it answers as its document says", async () => {
  await send({ messageId: "<1@shop>" });
  const document = (await (await fetch(`${sink.url}/openapi.json`)).json()) as ApiDocument;
  const options = { runs: 40, seed: 20_251_028, tokens: [""], backendUp: true };
  const { statuses, violations } = await fuzz({ origin: sink.url, document, ...options });
  expect(violations).toEqual([]);
  expect(statuses[200]).toBeGreaterThan(0);
});

test("keeps one mail for each Message-ID, and counts what comes again", async () => {
  await Promise.all(Array.from({ length: 5 }, () => send({ messageId: "<twice@shop>" })));
  await send({ messageId: "<once@shop>" });
  const { mails: found, total, doubles } = await mails();
  expect({ total, doubles }).toEqual({ total: 2, doubles: 4 });
  expect(found.map(({ messageId, doubles }) => [messageId, doubles])).toEqual([
    ["<twice@shop>", 4],
    ["<once@shop>", 0],
  ]);
});

test("keeps every mail that has no Message-ID", async () => {
  const raw = "From: a@example.org\r\nSubject: nameless\r\n\r\nText.";
  const envelope = { from: "a@example.org", to: "riya@example.org" };
  await send({ raw, envelope });
  await send({ raw, envelope });
  expect(await mails()).toMatchObject({ total: 2, doubles: 0 });
});

test("gives pages in the order in which mails came", async () => {
  for (const number of [1, 2, 3]) {
    await send({ subject: `mail ${number}` });
  }
  const first = await mails("limit=2");
  expect(first.mails.map(({ subject }) => subject)).toEqual(["mail 1", "mail 2"]);
  const second = await mails(`limit=2&after=${first.mails[1]?.seq}`);
  expect(second.mails.map(({ subject }) => subject)).toEqual(["mail 3"]);
  expect((await fetch(`${sink.url}/api/mails?limit=501`)).status).toBe(400);
});

test("refuses a mail that is too large, and keeps nothing of it", async () => {
  const large = "x".repeat(2 * 1024 * 1024);
  // Not through nodemailer: it reads the announced limit and would not even try.
  const said = await converse([
    "MAIL FROM:<a@example.org>",
    "RCPT TO:<b@example.org>",
    "DATA",
    `${large}\r\n.`,
  ]);
  expect(said).toContain("552");
  await expect(send({ text: large })).rejects.toThrow();
  expect((await mails()).total).toBe(0);
});

test("knows neither passwords nor TLS, and says where it listens", async () => {
  expect(await converse([])).not.toMatch(/AUTH|STARTTLS/);
  expect(await (await fetch(`${sink.url}/readyz`)).json()).toMatchObject({ checks: { smtp: "pass" } });
});

test("shows mails as text, whatever is in them", async () => {
  const evil = '<script>alert(1)</script><img src="https://example.org/x">';
  await send({ from: `"<b>" <a@example.org>`, subject: evil, text: evil, messageId: "<<i>@shop>" });
  await send({ subject: "only html", text: undefined, html: `<p>Hello <b>Riya</b></p>${evil}` });
  const { mails: found } = await mails();
  const shown = [
    await page("/"),
    await page("/?to=%22%3E%3Cscript%3E"),
    ...(await Promise.all(found.map(({ seq }) => page(`/mails/${seq}`)))),
  ];
  for (const html of shown) {
    expect(html).not.toMatch(/<(script|img|b|i)\b/);
    expect(html).toContain("prefers-color-scheme: dark");
  }
  expect(shown[0]).toContain("&lt;script&gt;alert(1)");
  expect(shown[3]).toContain("Hello Riya");
  expect((await fetch(`${sink.url}/mails/999999`)).status).toBe(404);
});

test("leads from page to page", async () => {
  await Promise.all(Array.from({ length: 51 }, (_, number) => send({ subject: `mail ${number}` })));
  const newest = await page("/?to=riya%40example.org");
  expect(newest).toContain("51 mails, 0 doubles");
  expect(newest.match(/<td><a /g)).toHaveLength(50);
  const older = newest.match(/href="(\/\?to=[^"]+)"/)?.[1]?.replaceAll("&amp;", "&");
  expect((await page(older as string)).match(/<td><a /g)).toHaveLength(1);
});

test("kill -9 in the midst of mails keeps every one that was acknowledged", async () => {
  const acknowledged: string[] = [];
  const sending = Array.from({ length: 6 }, async (_, sender) => {
    for (let number = 0; ; number += 1) {
      const messageId = `<${sender}-${number}@shop>`;
      await send({ messageId });
      acknowledged.push(messageId);
      if (acknowledged.length === 40) {
        await sink.kill();
      }
    }
  });
  await Promise.allSettled(sending);
  sink = await start(sink.port);
  const kept = new Set((await mails("limit=500")).mails.map(({ messageId }) => messageId));
  expect(acknowledged.length).toBeGreaterThanOrEqual(40);
  expect(acknowledged.filter((messageId) => !kept.has(messageId))).toEqual([]);
});

test("SIGTERM ends it although a client keeps its connection", async () => {
  await send({});
  const idle = connect(smtpPort, "127.0.0.1");
  const ended = text(idle);
  await new Promise((greeted) => idle.once("readable", greeted));
  expect(await sink.stop()).toBe(0);
  idle.end();
  expect(await ended).toMatch(/^220 /);
  sink = await start(sink.port);
  expect((await mails()).total).toBe(1);
});

/** Says lines to the sink, each after the answer to the one before, and gives all that it answered. */
async function converse(lines: string[]): Promise<string> {
  const socket = connect(smtpPort, "127.0.0.1");
  const left = ["EHLO test", ...lines, "QUIT"];
  let said = "";
  for await (const piece of socket) {
    said += piece;
    // The last line of an answer has a space behind its code.
    if (/^\d{3} .*\r\n$/m.test(String(piece))) {
      const line = left.shift();
      if (line !== undefined) {
        socket.write(`${line}\r\n`);
      }
    }
  }
  return said;
}
