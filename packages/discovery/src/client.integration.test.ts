import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { json } from "node:stream/consumers";
import { createServiceTokens, runWork } from "@lab/service-kit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { freePorts } from "../../../providers/host/src/ports.ts";
import { until } from "../../../tests/servers/agent.ts";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { ServiceClient, type ServiceRequest } from "./client.ts";
import { type OpenConsul, startOpenConsul } from "./testing/open-consul.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const get: ServiceRequest = { method: "GET", path: "/" };
const tokens = createServiceTokens({ key: "0123456789abcdef0123456789abcdef", name: "order" });

let consul: OpenConsul;
let client: ServiceClient;
let servers: Server[];
let registered: string[];

beforeAll(async () => {
  consul = await startOpenConsul();
});

afterAll(() => consul?.stop());

beforeEach(() => {
  servers = [];
  registered = [];
  client = new ServiceClient({ consulUrl: consul.address, service: "shelf", tokens, timeoutMs: 500, log });
});

afterEach(async () => {
  await client.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  for (const id of registered) {
    await consul.deregister(id);
  }
});

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function register(id: string, port: number): Promise<void> {
  registered.push(id);
  await consul.register(id, port);
}

test("calls the instances in turn, with the trace and a token, and counts the calls", async () => {
  const seen: { headers: IncomingMessage["headers"]; body: unknown }[] = [];
  const answer =
    (name: string): RequestListener =>
    async (request, response) => {
      seen.push({ headers: request.headers, body: await json(request) });
      response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify({ name }));
    };
  await register("one", await listen(answer("one")));
  await register("two", await listen(answer("two")));
  const post: ServiceRequest = {
    method: "POST",
    path: "/books?x=1",
    body: { title: "A" },
    headers: { a: "b" },
  };
  const names = new Set();
  await until("both to be called", async () => {
    const { status, body } = await client.request(post);
    expect(status).toBe(201);
    names.add((body as { name: string }).name);
    return names.size === 2;
  });
  const stores = await runWork({ traceparent, log }, async (work) => {
    await client.request(post);
    return work.stores;
  });
  expect(stores).toEqual({ "http:shelf": { calls: 1, ms: expect.any(Number) } });
  const last = seen.at(-1);
  expect(last?.body).toEqual({ title: "A" });
  expect(last?.headers).toMatchObject({ a: "b", authorization: expect.stringMatching(/^Bearer ey/) });
  expect(last?.headers.traceparent).toContain("0af7651916cd43dd8448eb211c80319c");
});

test("hands on answers of every kind", async () => {
  await register(
    "one",
    await listen((request, response) => {
      const type = request.url === "/text" ? "text/plain" : "application/problem+json";
      const text = { "/text": "words", "/problem": '{"status":409}' }[request.url ?? ""];
      response.writeHead(text ? 409 : 204, { "content-type": type }).end(text);
    }),
  );
  await until("the instance to be known", async () => (await client.request(get)).status === 204);
  expect(await client.request({ ...get, path: "/text" })).toEqual({ status: 409, body: "words" });
  expect(await client.request({ ...get, path: "/problem" })).toEqual({ status: 409, body: { status: 409 } });
  expect(await client.request(get)).toEqual({ status: 204, body: undefined });
});

test("a service without a healthy instance is away at once", async () => {
  await expect(client.request(get)).rejects.toMatchObject({ name: "ServiceAwayError", code: "none" });
});

test("goes on to another instance when one can't be connected to", async () => {
  await register("dead", await freePorts(1));
  await register("live", await listen((_request, response) => response.writeHead(204).end()));
  await until("both to be known", async () => (await client.request(get)).status === 204);
  const answers = Array.from({ length: 6 }, () => client.request({ ...get, method: "POST" }));
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(6).fill(204));
});

test("an answer that doesn't come in time is not asked for again", async () => {
  let asked = 0;
  await register(
    "slow",
    await listen(() => {
      asked += 1;
    }),
  );
  await until("the instance to be known", async () => {
    await client.request({ ...get, timeoutMs: 50 }).catch(() => undefined);
    return asked > 0;
  });
  asked = 0;
  const startedMs = performance.now();
  await expect(client.request(get)).rejects.toMatchObject({ code: "timeout" });
  expect(performance.now() - startedMs).toBeLessThan(2000);
  expect(asked).toBe(1);
});

test("a connection that breaks off is not tried again: the request may have been carried out", async () => {
  let asked = 0;
  const server = createTcpServer((socket) => {
    socket.once("data", () => {
      asked += 1;
      socket.destroy();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    await register("broken", (server.address() as AddressInfo).port);
    await until("the instance to be known", async () => {
      await client.request(get).catch(() => undefined);
      return asked > 0;
    });
    asked = 0;
    await expect(client.request({ ...get, method: "POST" })).rejects.toMatchObject({ code: "connection" });
    expect(asked).toBe(1);
  } finally {
    server.close();
  }
});

/** An instance that can be told how to answer. */
async function instance(name: string, status: () => number): Promise<{ asked(): number }> {
  let asked = 0;
  const port = await listen((_request, response) => {
    asked += 1;
    response.writeHead(status(), { "x-name": name }).end();
  });
  await register(name, port);
  return { asked: () => asked };
}

test("a 503 of a safe request is asked of another instance, one of any other is handed on", async () => {
  const [bad, good] = [await instance("bad", () => 503), await instance("good", () => 204)];
  await until("both to be known", async () => {
    await client.request(get);
    return bad.asked() > 0 && good.asked() > 0;
  });
  const statuses = async (request: ServiceRequest) =>
    (await Promise.all([1, 2].map(() => client.request(request)))).map(({ status }) => status).sort();
  expect(await statuses(get)).toEqual([204, 204]);
  expect(await statuses({ ...get, method: "POST" })).toEqual([204, 503]);
});

test("with an Idempotency-Key a request may be sent again", async () => {
  let asked = 0;
  const broken = createTcpServer((socket) => {
    socket.once("data", () => {
      asked += 1;
      socket.destroy();
    });
  });
  await once(broken.listen(0, "127.0.0.1"), "listening");
  try {
    await register("broken", (broken.address() as AddressInfo).port);
    const good = await instance("good", () => 204);
    await until("the good one to be known", async () => {
      await client.request(get).catch(() => undefined);
      return good.asked() > 0;
    });
    const post: ServiceRequest = { ...get, method: "POST", headers: { "Idempotency-Key": "1" } };
    asked = 0;
    const answers = await Promise.all([client.request(post), client.request(post)]);
    expect(answers.map(({ status }) => status)).toEqual([204, 204]);
    expect(asked).toBe(1);
  } finally {
    broken.close();
  }
});

test("an instance that fails three times in a row gets no more requests", async () => {
  const [bad, good] = [await instance("bad", () => 503), await instance("good", () => 204)];
  await until("both to be known", async () => {
    await client.request(get);
    return bad.asked() > 0 && good.asked() > 0;
  });
  await until("the bad one to be left out", async () => {
    const before = bad.asked();
    await Promise.all([1, 2, 3, 4].map(() => client.request(get)));
    return bad.asked() === before;
  });
  expect(bad.asked()).toBe(3);
});

test("a service of which too much fails is let alone, and asked again after a while", async () => {
  let status = 503;
  const only = await instance("only", () => status);
  await until("it to be known", async () => (await client.request(get)).status === 503);
  await until("it to be let alone", async () => {
    const away = await client.request({ ...get, method: "POST" }).catch((error) => error);
    return away.code === "none";
  });
  const before = only.asked();
  await expect(client.request(get)).rejects.toThrow("let alone");
  expect(only.asked()).toBe(before);
  status = 204;
  await until("it to be asked again", async () => (await client.request(get)).status === 204);
});

test("five of ten instances die under load, and no more than three of the requests that may be repeated fail", async () => {
  const dying: Server[] = [];
  for (let number = 0; number < 10; number++) {
    const port = await listen((_request, response) => response.writeHead(204).end());
    if (number < 5) {
      dying.push(servers.at(-1) as Server);
    }
    await register(`i${number}`, port);
  }
  await until("the instances to be known", async () => (await client.request(get)).status === 204);
  let answers = 0;
  let failures = 0;
  let isOver = false;
  const work = async () => {
    while (!isOver) {
      await client.request(get).then(
        () => (answers += 1),
        () => (failures += 1),
      );
    }
  };
  const workers = Promise.all(Array.from({ length: 10 }, work));
  await until("load", () => answers > 500);
  for (const server of dying) {
    server.close();
    server.closeAllConnections();
  }
  const before = answers;
  await until("load without them", () => answers > before + 2000);
  isOver = true;
  await workers;
  // One fails when its three tries are the first that three of the five see.
  expect(failures).toBeLessThanOrEqual(3);
});
