import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { until } from "../../../../tests/support/until.ts";
import { ask } from "../testing/ask.ts";
import { connectRaw } from "../testing/raw.ts";
import { serve } from "../testing/serve.ts";
import { startTestGateway } from "../testing/test-gateway.ts";

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
  const { origin, upstream } = await startTestGateway([instance.origin], {}, { maxBodyBytes: 100_000 });
  const sent = request(`${origin}/api/things`, { method: "POST" });
  sent.on("error", () => undefined);
  sent.write("x".repeat(60_000));
  sent.write("x".repeat(60_000));
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  expect([answer.statusCode, answer.headers.connection]).toEqual([413, "close"]);
  await until("the instance to be free", () => upstream.snapshot().instances[0]?.active === 0);
  expect(instance.asked).toEqual([]);
  expect(upstream.snapshot().instances[0]?.failures).toBe(0);
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
