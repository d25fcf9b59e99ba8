import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closeServer } from "./close-server.ts";

let server: Server;

beforeEach(async () => {
  server = createServer((request, response) => request.resume().once("end", () => response.end("hello")));
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterEach(() => server.closeAllConnections());

test.each([
  ["that has sent nothing", ""],
  ["with half a request", "POST /api/orders HTTP/1.1\r\nhost: shop\r\n"],
  ["with half a body", "POST /api/orders HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\n{"],
])("a connection %s does not keep the server open", async (_, sent) => {
  const { port } = server.address() as AddressInfo;
  const [[taken], client] = await Promise.all([once(server, "connection"), connected(port)]);
  client.on("error", () => undefined);
  const ended = once(client.resume(), "close");
  if (sent !== "") {
    client.write(sent);
    await expect.poll(() => taken.bytesRead).toBe(sent.length);
  }
  await closeServer(server, 100);
  await ended;
});

async function connected(port: number) {
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  return client;
}
