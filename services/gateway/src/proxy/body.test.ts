import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../../../../tests/support/until.ts";
import { ask } from "../testing/ask.ts";
import { connectRaw } from "../testing/raw.ts";
import { serve } from "../testing/serve.ts";
import { startTestGateway } from "../testing/test-gateway.ts";
import { bodyOf } from "./body.ts";
import { Deadlines } from "./deadlines.ts";

const mebibyte = 1024 * 1024;

const chunked = "POST /api/things HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n";

/** An instance that echoes, and what it has got as a whole. */
async function echoing() {
  const asked: string[] = [];
  const { origin } = await serve(async (incoming, outgoing) => {
    incoming.on("error", () => undefined);
    const body = await text(incoming).catch(() => undefined);
    if (body !== undefined) {
      asked.push(`${incoming.method} ${incoming.url}`);
      outgoing.end(`${incoming.headers.expect ?? ""}${body.length}`);
    }
  });
  return { origin, asked };
}

test("a body up to the limit passes, and one byte more is 413, of which no instance hears", async () => {
  const instance = await echoing();
  const { origin } = await startTestGateway([instance.origin], {}, { maxBodyBytes: 100_000 });
  const send = (length: number) => ask(`${origin}/api/things`, { method: "POST", body: "x".repeat(length) });
  expect(await send(100_000)).toMatchObject({ status: 200, body: "100000" });
  expect(await send(100_001)).toMatchObject({
    status: 413,
    headers: { "content-type": "application/problem+json", connection: "close" },
  });
  expect(instance.asked).toHaveLength(1);
});

test("a body of unknown length is cut off at the limit: 413, and no instance gets it whole", async () => {
  const instance = await echoing();
  const { origin, upstream } = await startTestGateway([instance.origin], {}, { maxBodyBytes: 1_000_000 });
  const sent = request(`${origin}/api/things`, { method: "POST" });
  sent.on("error", () => undefined);
  sent.write("x".repeat(600_000));
  sent.write("x".repeat(600_000));
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  expect([answer.statusCode, answer.headers.connection]).toEqual([413, "close"]);
  await until("the instance to be free", () => upstream.snapshot().instances[0]?.active === 0);
  expect(instance.asked).toEqual([]);
  expect(upstream.snapshot().instances[0]?.failures).toBe(0);
});

test("a body that is cut off while it is answered already is no mark against the instance", async () => {
  const { origin: instance } = await serve((incoming, outgoing) => {
    incoming.on("error", () => undefined).resume();
    outgoing.write("early");
  });
  const { origin, upstream, logged } = await startTestGateway([instance], {}, { maxBodyBytes: 100_000 });
  const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
  sent.on("error", () => undefined);
  sent.write("x".repeat(70_000));
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  sent.write("x".repeat(70_000));
  await expect(text(answer)).rejects.toThrow("aborted");
  await until("the line", () => logged.length > 0);
  expect(logged[0]).toMatchObject({ cause: "BODY_TOO_LARGE" });
  expect(upstream.snapshot().instances[0]).toMatchObject({ active: 0, failures: 0 });
});

test("a small body of unknown length is one of known length to an instance, which hears of it once it is whole", async () => {
  const seen: IncomingMessage[] = [];
  const { origin: instance } = await serve(async (incoming, outgoing) => {
    seen.push(incoming);
    outgoing.end(await text(incoming));
  });
  const { port } = await startTestGateway([instance], {}, { maxBodyBytes: 10 });
  const { socket, see } = await connectRaw(port, `${chunked}5\r\nhello\r\n`);
  const other = await connectRaw(port, `${chunked}b\r\nhello again\r\n`);
  await other.see(/^HTTP\/1\.1 413 /);
  expect(seen).toEqual([]);
  socket.write("0\r\n\r\n");
  await see(/^HTTP\/1\.1 200 [\s\S]*hello/);
  expect(seen[0]?.headers).toMatchObject({ "content-length": "5" });
  expect(seen[0]?.headers).not.toHaveProperty("transfer-encoding");
});

describe("who sends slowly", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const pass = (seconds: number) => void vi.advanceTimersByTime(seconds * 1000);
  /** No try ends by itself in these tests. */
  const timeouts = { perTryMs: 100_000, totalMs: 100_000 };
  /** An instance, and how many bytes it has got of bodies. */
  async function counting() {
    let bytes = 0;
    const { origin } = await serve((incoming, outgoing) => {
      incoming.on("error", () => undefined).on("end", () => outgoing.end(`${bytes}`));
      incoming.on("data", (chunk) => {
        bytes += chunk.length;
      });
    });
    return { origin, bytes: () => bytes };
  }

  test.each([
    ["of unknown length", `${chunked}1\r\nx\r\n`],
    ["that is small", "POST /api/things HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nx"],
    ["that is large", "POST /api/things HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\nx"],
  ])("gets no instance for a body %s: 408", async (_what, text) => {
    const instance = await echoing();
    const { port, upstream } = await startTestGateway([instance.origin], { timeouts });
    const { see, received } = await connectRaw(port, text);
    const { socket } = await connectRaw(port, "GET /api/things/other HTTP/1.1\r\nHost: shop\r\n\r\n");
    await until("the other request to be answered", () => instance.asked.length === 1);
    expect(received()).toBe("");
    pass(11);
    await see(/^HTTP\/1\.1 408 /);
    socket.destroy();
    expect(upstream.snapshot().instances[0]).toMatchObject({ total: 1, failures: 0 });
  });

  test("is cut off later too, but not before: 408, and no mark against the instance", async () => {
    const instance = await counting();
    const { origin, upstream } = await startTestGateway([instance.origin], { timeouts });
    const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
    sent.on("error", () => undefined);
    const answered = once(sent, "response") as Promise<[IncomingMessage]>;
    sent.write("x".repeat(200_000));
    await until("the body to arrive", () => instance.bytes() === 200_000);
    // What came beyond the first part is worth more than a minute.
    pass(60);
    sent.write("x");
    await until("one more byte to arrive", () => instance.bytes() === 200_001);
    pass(90);
    const [answer] = await answered;
    expect(answer.statusCode).toBe(408);
    await until("the instance to be free", () => upstream.snapshot().instances[0]?.active === 0);
    expect(upstream.snapshot().instances[0]?.failures).toBe(0);
  });

  test("because nobody takes what has come, has time", async () => {
    const begun = Promise.withResolvers<void>();
    let read = () => {};
    const { origin } = await serve(async (incoming, outgoing) => {
      const body = (await bodyOf(incoming, mebibyte, new Deadlines())) as Readable;
      read = async () => outgoing.end(String((await text(body)).length));
      begun.resolve();
    });
    const sent = request(origin, { method: "POST", agent: false });
    const answered = once(sent, "response") as Promise<[IncomingMessage]>;
    sent.write("x".repeat(500_000));
    await begun.promise;
    // Many times as long as what may be on its way is worth.
    for (let times = 0; times < 10; times++) {
      pass(1000);
      // Deadlines are looked at every 25 ms.
      await delay(50);
    }
    read();
    sent.end();
    const [answer] = await answered;
    expect([answer.statusCode, await text(answer)]).toEqual([200, "500000"]);
  });
});

test("who waits to be told to go on is told so where the request goes on, and only there", async () => {
  const instance = await echoing();
  const { origin, port } = await startTestGateway([instance.origin]);
  const sent = request(`${origin}/api/things`, {
    method: "POST",
    headers: { expect: "100-continue", "content-length": 5 },
  });
  sent.once("continue", () => sent.end("hello"));
  sent.flushHeaders();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  expect(await text(answer)).toBe("5");
  const refused = await connectRaw(
    port,
    "POST /api/secrets HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
  );
  await refused.closed;
  expect(refused.received()).toMatch(/^HTTP\/1\.1 401 /);
});

test("a body that breaks off is no request: no instance gets it", async () => {
  const instance = await echoing();
  const { port, logged } = await startTestGateway([instance.origin]);
  const { socket } = await connectRaw(
    port,
    "POST /api/things HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nhalf",
  );
  socket.destroy();
  await until("the line", () => logged.length > 0);
  expect(instance.asked).toEqual([]);
  expect(logged[0]).toMatchObject({ status: 499 });
});

test("a refused request with a body closes its connection: what follows is not taken for another one", async () => {
  const instance = await echoing();
  const { port } = await startTestGateway([instance.origin]);
  const hidden = "GET /api/things/hidden HTTP/1.1\r\nHost: shop\r\n\r\n";
  const { received, closed } = await connectRaw(
    port,
    `POST /api/nowhere HTTP/1.1\r\nHost: shop\r\nContent-Length: ${hidden.length + 1}\r\n\r\n${hidden}`,
  );
  await closed;
  expect(received().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 404"]);
  expect(instance.asked).toEqual([]);
});
