import { once } from "node:events";
import {
  createServer,
  get,
  type IncomingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { Forwarder, UpstreamError } from "./forwarder.ts";

const forwarder = new Forwarder();
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A gateway that hands everything to one instance, and what it saw go wrong. */
async function gatewayTo(origin: string): Promise<{ url: string; errors: Error[] }> {
  const errors: Error[] = [];
  const url = await listen(async (incoming, outgoing) => {
    try {
      await forwarder.forward({
        incoming,
        outgoing,
        endpoint: { id: "one", origin, weight: 1, meta: {} },
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        closing: false,
      });
    } catch (error) {
      errors.push(error as Error);
      outgoing.destroy();
    }
  });
  return { url, errors };
}

test("hands a request on with its body, and the answer back, without what is meant for one connection", async () => {
  let seen: { method?: string; url?: string; headers: IncomingHttpHeaders; body: string } | undefined;
  const upstream = await listen(async (incoming, outgoing) => {
    seen = {
      method: incoming.method,
      url: incoming.url,
      headers: incoming.headers,
      body: await text(incoming),
    };
    outgoing.writeHead(201, {
      "x-kept": "yes",
      "keep-alive": "timeout=99",
      connection: "x-dropped",
      "x-dropped": "no",
    });
    outgoing.end("made");
  });
  const { url } = await gatewayTo(upstream);
  const sent = request(`${url}/api/cart/1?a=b`, {
    method: "PUT",
    headers: { connection: "keep-alive, x-hop", "x-hop": "1", "x-end": "2", "proxy-authorization": "secret" },
  });
  sent.end("body");
  const [answer] = await once(sent, "response");
  expect(answer.statusCode).toBe(201);
  expect(answer.headers).toMatchObject({ "x-kept": "yes" });
  expect(answer.headers).not.toHaveProperty("x-dropped");
  expect(await text(answer)).toBe("made");
  expect(seen).toMatchObject({
    method: "PUT",
    url: "/api/cart/1?a=b",
    body: "body",
    headers: { "x-end": "2", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  });
  expect(seen?.headers).not.toHaveProperty("x-hop");
  expect(seen?.headers).not.toHaveProperty("proxy-authorization");
});

test("streams: the first part of an answer arrives before the last is written", async () => {
  let finish = () => {};
  const upstream = await listen((_incoming, outgoing) => {
    outgoing.write("first");
    finish = () => outgoing.end("last");
  });
  const { url } = await gatewayTo(upstream);
  const [answer] = await once(get(url), "response");
  const [first] = await once(answer, "data");
  expect(String(first)).toBe("first");
  finish();
  expect(await text(answer)).toBe("last");
});

test("an instance that can't be reached is an error, with nothing sent to the caller", async () => {
  const { url, errors } = await gatewayTo("http://127.0.0.1:1");
  await expect(fetch(url)).rejects.toThrow();
  expect(errors).toEqual([expect.any(UpstreamError)]);
  expect(errors[0]?.message).toBe("ECONNREFUSED");
});

test("a caller who goes away ends the work of the instance", async () => {
  const gone = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const upstream = await listen((_incoming, outgoing) => {
    outgoing.once("close", () => gone.resolve());
    asked.resolve();
  });
  const { url } = await gatewayTo(upstream);
  const sent = get(url);
  sent.on("error", () => undefined);
  await asked.promise;
  sent.destroy();
  await gone.promise;
});

test("a body that waits for 100 Continue is handed on", async () => {
  const upstream = await listen(async (incoming, outgoing) => {
    outgoing.end(`${incoming.headers.expect} ${await text(incoming)}`);
  });
  const { url, errors } = await gatewayTo(upstream);
  const caller = request(url, { method: "POST", headers: { expect: "100-continue", "content-length": 5 } });
  caller.once("continue", () => caller.end("hello"));
  caller.flushHeaders();
  const [response] = await once(caller, "response");
  expect(await text(response)).toBe("undefined hello");
  expect(errors).toEqual([]);
});
