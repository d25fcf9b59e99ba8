import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { FrontDoor } from "./front-door.ts";
import { connectRaw } from "./testing/raw.ts";

/** A door behind which everyone gets its name, and whom it has seen. */
async function openDoor(
  name = "door",
  port = 0,
): Promise<{ door: FrontDoor; seen: string[]; upgrades: string[] }> {
  const seen: string[] = [];
  const upgrades: string[] = [];
  const door = new FrontDoor({
    onRequest(incoming, outgoing) {
      seen.push(`${incoming.method} ${incoming.url}`);
      outgoing.end(name);
    },
    onUpgrade(incoming, socket) {
      upgrades.push(incoming.url ?? "");
      socket.destroy();
    },
  });
  await door.listen(port, "127.0.0.1");
  onTestFinished(() => door.close());
  return { door, seen, upgrades };
}

const host = "Host: shop\r\n";

test.each([
  ["no HTTP at all", "hello\r\n\r\n", 400],
  ["a head of more than 16 KiB", `GET / HTTP/1.1\r\n${host}X-Large: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ["a target of more than 16 KiB", `GET /${"x".repeat(20_000)} HTTP/1.1\r\n${host}\r\n`, 431],
  ["two lengths", `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi`, 400],
  [
    "a length and chunks",
    `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ["a coding that is not chunks", `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n`, 400],
  [
    "a coding besides chunks",
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ["space before a colon", `GET / HTTP/1.1\r\n${host}X-Name : 1\r\n\r\n`, 400],
  ["a folded header", `GET / HTTP/1.1\r\n${host}X-Name: 1\r\n 2\r\n\r\n`, 400],
  ["a NUL in a header", `GET / HTTP/1.1\r\n${host}X-Name: a\0b\r\n\r\n`, 400],
  ["an unknown expectation", `POST / HTTP/1.1\r\n${host}Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n`, 417],
])(
  "%s is refused, the connection ends, and nobody behind the door hears of it",
  async (_what, bytes, status) => {
    const { door, seen } = await openDoor();
    const { received, closed } = await connectRaw(door.port, bytes);
    await closed;
    expect(received()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(received()).toContain("application/problem+json");
    expect(received()).toMatch(/\r\nconnection: close\r\n/i);
    expect(seen).toEqual([]);
  },
);

test("a request without a Host is refused", async () => {
  const { door, seen } = await openDoor();
  const { received, closed } = await connectRaw(door.port, "GET / HTTP/1.1\r\n\r\n");
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 400 /);
  expect(seen).toEqual([]);
});

test("a head that comes too slowly ends with 408 while others are served", async () => {
  const { door, seen } = await openDoor();
  const { received, closed } = await connectRaw(door.port, `GET /slow HTTP/1.1\r\n${host}`);
  const [response] = (await once(get({ port: door.port, path: "/quick", agent: false }), "response")) as [
    IncomingMessage,
  ];
  response.resume();
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/);
  expect(seen).toEqual(["GET /quick"]);
});

test("no protocol but WebSocket is gone on with, and no method but GET: others are ordinary requests", async () => {
  const { door, seen, upgrades } = await openDoor();
  const upgrade = (method: string, protocol: string) =>
    connectRaw(
      door.port,
      `${method} /up HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
    );
  for (const other of [await upgrade("GET", "h2c"), await upgrade("POST", "websocket")]) {
    await other.see(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\ndoor/);
  }
  expect(seen).toEqual(["GET /up", "POST /up"]);
  expect(upgrades).toEqual([]);
  const webSocket = await upgrade("GET", "WebSocket");
  await webSocket.closed;
  expect(upgrades).toEqual(["/up"]);
  expect(seen).toHaveLength(2);
});

test("the connection preface of HTTP/2 is no request", async () => {
  const { door, seen } = await openDoor();
  const { received, closed } = await connectRaw(door.port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 (400|505) /);
  expect(seen).toEqual([]);
});

test("two doors share one port", async () => {
  const { door } = await openDoor("first");
  const { door: other } = await openDoor("second", door.port);
  expect(other.port).toBe(door.port);
  const names = new Set<string>();
  while (names.size < 2) {
    names.add(await nameAt(door.port));
  }
  expect([...names].toSorted()).toEqual(["first", "second"]);
});

test("a door that closes while hundreds come in each second loses hardly any", async () => {
  const { door } = await openDoor("first");
  const { port } = door;
  // One in 25 closings when nothing else is done; a crowded machine leaves more time between the last look and the end.
  const fewLost = 3;
  await openDoor("second", port);
  const storm = new Worker(new URL("./testing/storm.ts", import.meta.url), {
    workerData: { port, callers: 20 },
  });
  onTestFinished(() => void storm.terminate());
  expect(await once(storm, "message")).toEqual(["under way"]);
  await door.close();
  expect(await nameAt(port)).toBe("second");
  const end = once(storm, "message");
  storm.postMessage("enough");
  const [{ answered, lost }] = (await end) as [{ answered: number; lost: number }];
  expect(answered).toBeGreaterThanOrEqual(500);
  expect(lost).toBeLessThanOrEqual(fewLost);
});

test("a door that closes takes all who came while it had no processor", async () => {
  const { door } = await openDoor();
  const callers = 40;
  const [begin, connected] = [0, 1];
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const rush = new Worker(new URL("./testing/rush.ts", import.meta.url), {
    workerData: { port: door.port, callers, shared },
  });
  onTestFinished(() => void rush.terminate());
  await once(rush, "online");
  const answered = once(rush, "message");
  Atomics.store(shared, begin, 1);
  Atomics.notify(shared, begin);
  for (let count = 0; count < callers; count = Atomics.load(shared, connected)) {
    expect(Atomics.wait(shared, connected, count, 10_000)).not.toBe("timed-out");
  }
  await door.close();
  expect(await answered).toEqual([callers]);
});

test("a door that closes ends connections that are kept, and WebSockets", async () => {
  const opened = Promise.withResolvers<Duplex>();
  const door = new FrontDoor({
    onRequest: (_incoming, outgoing) => void outgoing.end(),
    onUpgrade: (_incoming, socket) => opened.resolve(socket),
  });
  await door.listen(0, "127.0.0.1");
  const { port } = door;
  const kept = await connectRaw(port, `GET / HTTP/1.1\r\n${host}\r\n`);
  await kept.see("HTTP/1.1 200");
  const webSocket = await connectRaw(
    port,
    `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  );
  await opened.promise;
  await door.close();
  await Promise.all([kept.closed, webSocket.closed]);
  await expect(nameAt(port)).rejects.toThrow("ECONNREFUSED");
});

test("an upgrade behind a request whose answer is pending ends the connection, and nothing else", async () => {
  const answers: ServerResponse[] = [];
  const door = new FrontDoor({
    onRequest: (_incoming, outgoing) => void answers.push(outgoing),
    onUpgrade: () => expect.unreachable(),
  });
  await door.listen(0, "127.0.0.1");
  onTestFinished(() => door.close());
  const upgrade = `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  const { closed, received } = await connectRaw(door.port, `GET / HTTP/1.1\r\n${host}\r\n${upgrade}`);
  await closed;
  expect(answers).toHaveLength(1);
  expect(received()).toBe("");
});

test("requests that nobody reads the answers of are not kept without end", async () => {
  let asked = 0;
  const door = new FrontDoor({
    onRequest: () => {
      asked += 1;
    },
    onUpgrade: () => undefined,
  });
  await door.listen(0, "127.0.0.1");
  onTestFinished(() => door.close());
  const { closed } = await connectRaw(door.port, `GET / HTTP/1.1\r\n${host}\r\n`.repeat(100));
  await closed;
  expect(asked).toBe(1);
});

test("a handshake of a WebSocket is a GET, and of any other method an ordinary request", async () => {
  const door = new FrontDoor({
    onRequest: (_incoming, outgoing) => void outgoing.end("ordinary"),
    onUpgrade: () => expect.unreachable(),
  });
  await door.listen(0, "127.0.0.1");
  onTestFinished(() => door.close());
  const { see } = await connectRaw(
    door.port,
    `POST / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n`,
  );
  await see("ordinary");
});

test("garbage behind a request does not get into its answer", async () => {
  const door = new FrontDoor({
    onRequest: (_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-length": 10 });
      outgoing.write("12345");
    },
    onUpgrade: () => undefined,
  });
  await door.listen(0, "127.0.0.1");
  onTestFinished(() => door.close());
  const { see, socket, closed, received } = await connectRaw(door.port, `GET / HTTP/1.1\r\n${host}\r\n`);
  await see("12345");
  socket.write("\0\0\0\r\n\r\n");
  await closed;
  expect(received()).toMatch(/12345$/);
});

test("a door that is closed while its port is taken does not open", async () => {
  const other = createServer();
  await once(other.listen(0, "127.0.0.1"), "listening");
  const { port } = other.address() as AddressInfo;
  const door = new FrontDoor({ onRequest: () => undefined, onUpgrade: () => undefined });
  const opened = door.listen(port, "127.0.0.1");
  await door.close();
  other.close();
  await opened;
  expect(door.state).not.toBe("open");
});

async function nameAt(port: number): Promise<string> {
  const sent = get({ host: "127.0.0.1", port, agent: false });
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return text(response);
}
