import { createHash } from "node:crypto";
import { once } from "node:events";
import { get } from "node:http";
import type { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { until } from "../../../../tests/support/until.ts";
import { connectRaw } from "../testing/raw.ts";
import { serve } from "../testing/serve.ts";
import { startTestGateway } from "../testing/test-gateway.ts";

const handshake = (path: string, ...lines: string[]) =>
  [
    ...[`GET ${path} HTTP/1.1`, "Host: shop", "Connection: Upgrade", "Upgrade: websocket"],
    ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ...lines, "", ""],
  ].join("\r\n");

/** An instance that takes each WebSocket, and hands its bytes to `onBytes`. */
async function accepting(onBytes: (bytes: Buffer, socket: Duplex) => void) {
  const sockets: Duplex[] = [];
  const headers: NodeJS.Dict<string | string[]>[] = [];
  const { server, origin } = await serve((_incoming, outgoing) => {
    outgoing.writeHead(404).end("no WebSocket here");
  });
  server.on("upgrade", (incoming, socket, head) => {
    sockets.push(socket);
    headers.push(incoming.headers);
    const accept = createHash("sha1")
      .update(`${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => undefined).on("end", () => socket.end());
    if (head.length > 0) {
      onBytes(head, socket);
    }
    socket.on("data", (bytes: Buffer) => onBytes(bytes, socket));
  });
  return { origin, sockets, headers };
}

const echoing = () => accepting((bytes, socket) => void socket.write(bytes));

test("a browser's WebSocket talks with the service, both ways", async () => {
  // Text frames of a client are masked (RFC 6455 §5.2), a server's are not.
  const { origin: instance } = await accepting((frame, socket) => {
    const length = (frame[1] as number) & 0x7f;
    const mask = frame.subarray(2, 6);
    const said = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] as number));
    socket.write(Buffer.concat([Buffer.from([frame[0] as number, length]), said]));
  });
  const { port } = await startTestGateway([instance]);
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/api/things`);
  await once(webSocket, "open");
  for (const said of ["hello", "again"]) {
    webSocket.send(said);
    const [event] = (await once(webSocket, "message")) as [MessageEvent];
    expect(event.data).toBe(said);
  }
  webSocket.close();
});

test("bytes that come right behind the handshake are not lost", async () => {
  const { origin: instance } = await echoing();
  const { port } = await startTestGateway([instance]);
  const { see } = await connectRaw(port, `${handshake("/api/things")}early`);
  await see(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\nearly$/);
});

test("the service is told who it is, in the gateway's words", async () => {
  const { origin: instance, headers } = await echoing();
  const { port, tokenOf } = await startTestGateway([instance]);
  const token = await tokenOf(101);
  const { see } = await connectRaw(
    port,
    handshake("/api/secrets", `Authorization: Bearer ${token}`, "X-Forwarded-For: 6.6.6.6"),
  );
  await see("101 Switching Protocols");
  expect(headers[0]).toMatchObject({ "x-forwarded-for": "127.0.0.1" });
  expect(headers[0]?.authorization).toMatch(/^Bearer /);
  expect(headers[0]?.authorization).not.toContain(token);
});

test.each([
  ["who must say who they are", "/api/secrets", 401],
  ["for what nobody has", "/api/nowhere", 404],
])("a WebSocket of somebody %s is refused, and the connection ends", async (_what, path, status) => {
  const { origin: instance, sockets } = await echoing();
  const { port } = await startTestGateway([instance]);
  const { received, closed } = await connectRaw(port, handshake(path));
  await closed;
  expect(received()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*application/problem\\+json`));
  expect(sockets).toHaveLength(0);
});

test.each<[string, () => Promise<string>, number]>([
  ["is not there", async () => "http://127.0.0.1:1", 502],
  ["hangs", async () => (await serve(() => undefined)).origin, 504],
])("a service that %s: the caller hears so, and the connection ends", async (_what, start, status) => {
  const { port, upstream } = await startTestGateway([await start()], { timeouts: { perTryMs: 100 } });
  const { received, closed } = await connectRaw(port, handshake("/api/things"));
  await closed;
  expect(received()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*application/problem\\+json`));
  expect(upstream.snapshot().instances[0]?.active).toBe(0);
});

test("a service that takes none: its own answer is the caller's", async () => {
  const { origin } = await serve((_incoming, outgoing) => outgoing.writeHead(426).end("not here"));
  const { port, upstream } = await startTestGateway([origin]);
  const { received, closed } = await connectRaw(port, handshake("/api/things"));
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 426 [\s\S]*not here/);
  expect(upstream.snapshot().instances[0]?.active).toBe(0);
});

test("no instance: 503", async () => {
  const { port } = await startTestGateway([]);
  const { received, closed } = await connectRaw(port, handshake("/api/things"));
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 503 /);
});

test("an instance that is not there: another one takes it", async () => {
  const { origin: instance } = await echoing();
  const { port, logged } = await startTestGateway(["http://127.0.0.1:1", instance]);
  for (let tries = 0; tries < 2; tries++) {
    const { see, socket } = await connectRaw(port, handshake("/api/things"));
    await see("101 Switching Protocols");
    socket.destroy();
  }
  await until("both lines", () => logged.length === 2);
  expect(logged.map(({ attempts }) => attempts)).toContain(2);
});

test("an instance that breaks off the handshake is the only one: it may have begun something", async () => {
  const { server, origin } = await serve();
  server.on("upgrade", (_incoming, socket) => socket.destroy());
  const { origin: other, sockets } = await echoing();
  const { port } = await startTestGateway([origin, other]);
  const answers: string[] = [];
  for (let tries = 0; tries < 2; tries++) {
    const { see, received, socket } = await connectRaw(port, handshake("/api/things"));
    await see("\r\n\r\n");
    answers.push(received().slice(9, 12));
    socket.destroy();
  }
  expect(answers.toSorted()).toEqual(["101", "502"]);
  expect(sockets).toHaveLength(1);
});

test("a service that keeps failing is let alone for a while", async () => {
  let asked = 0;
  const { server, origin } = await serve();
  server.on("upgrade", (_incoming, socket) => {
    asked += 1;
    socket.destroy();
  });
  const { port, upstream } = await startTestGateway([origin], {
    circuitBreaker: { minPerSecond: 1, windowMs: 1000, halfOpenAfterMs: 60_000 },
  });
  const first = await connectRaw(port, handshake("/api/things"));
  await first.closed;
  expect(upstream.breaker.state).toBe("open");
  const second = await connectRaw(port, handshake("/api/things"));
  await second.closed;
  expect(second.received()).toMatch(/^HTTP\/1\.1 503 [\s\S]*has failed too often/);
  expect(asked).toBe(1);
});

test("all connections of an instance are taken: the caller hears that it is busy", async () => {
  const { origin: instance } = await serve((_incoming, outgoing) => void outgoing.write("first"));
  const { origin, port, upstream } = await startTestGateway([instance], { timeouts: { perTryMs: 1000 } });
  await Promise.all(
    Array.from({ length: 256 }, () => once(get(`${origin}/api/things`, { agent: false }), "response")),
  );
  const { received, closed } = await connectRaw(port, handshake("/api/things"));
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 503 [\s\S]*thing is busy/);
  expect(upstream.snapshot().instances[0]).toMatchObject({ active: 256, failures: 0 });
});

test("a caller who goes during the handshake ends it", async () => {
  const asked = Promise.withResolvers<Duplex>();
  const { server, origin } = await serve();
  server.on("upgrade", (_incoming, socket) => asked.resolve(socket));
  const { port, upstream, logged } = await startTestGateway([origin]);
  const { socket } = await connectRaw(port, `${handshake("/api/things")}early`);
  const handedOn = await asked.promise;
  socket.end();
  await once(handedOn.resume(), "end");
  handedOn.destroy();
  await until("the line", () => logged.length > 0);
  expect(logged[0]).toMatchObject({ status: 499, cause: "the caller went away" });
  expect(upstream.snapshot().instances[0]).toMatchObject({ active: 0, failures: 0 });
});

test("when either side ends, so does the other, and the log has one line", async () => {
  const { origin: instance, sockets } = await echoing();
  const { port, upstream, logged } = await startTestGateway([instance]);
  const first = await connectRaw(port, handshake("/api/things"));
  await first.see("101 Switching Protocols");
  expect(upstream.snapshot().instances[0]?.active).toBe(1);
  first.socket.destroy();
  await once(sockets[0] as Duplex, "close");
  const second = await connectRaw(port, handshake("/api/things"));
  await second.see("101 Switching Protocols");
  sockets[1]?.destroy();
  await second.closed;
  await until("both lines", () => logged.length === 2);
  expect(logged).toMatchObject([
    { status: 101, upstream: "thing" },
    { status: 101, upstream: "thing" },
  ]);
  expect(upstream.snapshot().instances[0]).toMatchObject({ active: 0, total: 2, failures: 0 });
});
