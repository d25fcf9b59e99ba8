import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";

const protocols = ["mysql", "redis", "mongodb", "cassandra", "bolt"];
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) {
    close();
  }
});

// Real servers answer in jobs.integration.test.ts; here are those that must not pass.

test.each(protocols)("%s: nobody listens", async (protocol) => {
  const port = await serve(() => undefined);
  closing.pop()?.();
  expect(await probe(protocol, port)).toMatchObject({
    code: 2,
    output: expect.stringMatching(/^\w+: connect: .+\n$/),
  });
});

test.each(protocols)("%s: an open port that says nothing", async (protocol) => {
  const port = await serve(() => undefined);
  expect(await probe(protocol, port)).toEqual({ code: 2, output: `${protocol}: no answer within 3 s\n` });
});

test.each(protocols)("%s: a server that hangs up", async (protocol) => {
  const port = await serve((socket) => socket.destroy());
  expect(await probe(protocol, port)).toMatchObject({
    code: 2,
    output: expect.stringMatching(/^\w+: .+\n$/),
  });
});

test.each(protocols)("%s: a server of another protocol", async (protocol) => {
  const port = await serve((socket) => socket.end(`HTTP/1.1 400 Bad Request\r\n${" ".repeat(100)}\r\n\r\n`));
  expect(await probe(protocol, port)).toMatchObject({
    code: 2,
    output: expect.stringMatching(/^\w+: .+\n$/),
  });
});

test.each([
  [
    "redis",
    "-LOADING Redis is loading the dataset in memory\r\n",
    "redis: -LOADING Redis is loading the dataset in memory\n",
  ],
  ["redis", "+PONG\r\n", undefined],
  ["mysql", "\x17\0\0\0\xff\x10\x04Too many connections", "mysql: error 1040: Too many connections\n"],
])("%s answers %j", async (protocol, answer, failure) => {
  const port = await serve((socket) => socket.write(answer, "latin1"));
  const result = await probe(protocol, port);
  expect(result.code).toBe(failure === undefined ? 0 : 2);
  expect(failure ?? result.output).toBe(result.output);
});

test("says how it is called", async () => {
  expect(await probe("gopher", 1)).toMatchObject({ code: 2, output: expect.stringContaining("usage:") });
});

async function serve(answer: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    answer(socket);
  });
  closing.push(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

function probe(protocol: string, port: number): Promise<{ code: number; output: string }> {
  const script = join(import.meta.dirname, "probe.pl");
  return new Promise((resolve) => {
    execFile("/usr/bin/perl", [script, protocol, "127.0.0.1", String(port)], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
    });
  });
}
