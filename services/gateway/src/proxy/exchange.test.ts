import { once } from "node:events";
import { get, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { until } from "../../../../tests/support/until.ts";
import { type Asked, ask } from "../testing/ask.ts";
import { connectRaw } from "../testing/raw.ts";
import { serve } from "../testing/serve.ts";
import { startTestGateway } from "../testing/test-gateway.ts";

/** Nobody listens there. */
const nobody = "http://127.0.0.1:1";
const mebibyte = 1024 * 1024;
/** More of a body than is read before an instance is asked. */
const part = "x".repeat(70_000);

describe("a request and its answer", () => {
  test("are handed on whole, without what is meant for one connection", async () => {
    let seen: { method?: string; url?: string; headers: IncomingHttpHeaders; body: string } | undefined;
    const { origin: instance } = await serve(async (incoming, outgoing) => {
      const { method, url, headers } = incoming;
      seen = { method, url, headers, body: await text(incoming) };
      outgoing.writeHead(201, { "x-kept": "yes", connection: "x-dropped", "x-dropped": "no" });
      outgoing.end("made");
    });
    const { origin } = await startTestGateway([instance]);
    const answer = await ask(`${origin}/api/things/1?a=b%20c`, {
      method: "PUT",
      headers: {
        connection: "keep-alive, x-hop",
        "x-hop": "1",
        "x-end": "2",
        "x-forwarded-for": "6.6.6.6",
        "proxy-authorization": "secret",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
      body: "body",
    });
    expect(answer).toMatchObject({ status: 201, body: "made", headers: { "x-kept": "yes" } });
    expect(answer.headers).not.toHaveProperty("x-dropped");
    expect(seen).toMatchObject({
      method: "PUT",
      url: "/api/things/1?a=b%20c",
      body: "body",
      headers: { "x-end": "2", "x-forwarded-for": "127.0.0.1", "content-length": "4" },
    });
    expect(seen?.headers.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)/);
    expect(seen?.headers).not.toHaveProperty("x-hop");
    expect(seen?.headers).not.toHaveProperty("proxy-authorization");
  });

  test("say who has sent it in the gateway's words, not in the caller's", async () => {
    const { origin: instance } = await serve((incoming, outgoing) =>
      outgoing.end(incoming.headers.authorization ?? "nobody"),
    );
    const { origin, tokenOf } = await startTestGateway([instance]);
    const token = await tokenOf(101);
    const { body } = await ask(`${origin}/api/secrets`, { headers: { authorization: `Bearer ${token}` } });
    expect(body).not.toContain(token);
    const claims = JSON.parse(Buffer.from(body.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({ iss: "gateway", aud: "shop-services", sub: "101", sid: "login of 101" });
    expect(await ask(`${origin}/api/things`)).toMatchObject({ body: "nobody" });
    expect(await ask(`${origin}/api/secrets`)).toMatchObject({
      status: 401,
      headers: { "www-authenticate": "Bearer", "content-type": "application/problem+json" },
    });
  });

  test("a client on a socket for both versions of IP can't say that it is another", async () => {
    const { origin: instance } = await serve((incoming, outgoing) =>
      outgoing.end(incoming.headers["x-forwarded-for"]),
    );
    const { origin } = await startTestGateway([instance], {}, {}, "::");
    const answer = await ask(`${origin}/api/things`, { headers: { "x-forwarded-for": "6.6.6.6" } });
    expect(answer.body).toBe("127.0.0.1");
  });

  test("HEAD, 204 and 304 have no body, and the connection goes on", async () => {
    const { origin: instance } = await serve((incoming, outgoing) => {
      if (incoming.method === "HEAD") {
        outgoing.writeHead(200, { "content-length": 1000 }).end();
      } else {
        outgoing.writeHead(incoming.url?.endsWith("204") ? 204 : 304, { etag: '"a"' }).end();
      }
    });
    const { origin } = await startTestGateway([instance]);
    expect(await ask(`${origin}/api/things`, { method: "HEAD" })).toMatchObject({
      status: 200,
      headers: { "content-length": "1000" },
      body: "",
    });
    expect(await ask(`${origin}/api/things/204`)).toMatchObject({ status: 204, body: "" });
    expect(await ask(`${origin}/api/things/304`)).toMatchObject({
      status: 304,
      headers: { etag: '"a"' },
      body: "",
    });
  });

  test("trailers of an answer pass", async () => {
    const { origin: instance } = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { trailer: "x-sum" });
      outgoing.write("part");
      outgoing.addTrailers({ "x-sum": "42" });
      outgoing.end();
    });
    const { origin } = await startTestGateway([instance]);
    expect(await ask(`${origin}/api/things`)).toMatchObject({ body: "part", trailers: { "x-sum": "42" } });
  });

  test("leave one line in the log, with instance, attempts and times", async () => {
    const { origin: instance } = await serve((_incoming, outgoing) => outgoing.end("ok"));
    const { origin, logged } = await startTestGateway([instance]);
    await ask(`${origin}/api/things/7?secret=1`);
    await until("the line", () => logged.length > 0);
    expect(logged).toEqual([
      expect.objectContaining({
        method: "GET",
        path: "/api/things/7",
        status: 200,
        client: "127.0.0.1",
        upstream: "thing",
        endpoint: instance,
        attempts: 1,
        durationMs: expect.any(Number),
        upstreamMs: expect.any(Number),
        gatewayMs: expect.any(Number),
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      }),
    ]);
  });

  test("a gateway that is to stop says that the connection closes", async () => {
    const { origin: instance } = await serve((_incoming, outgoing) => outgoing.end("ok"));
    const { origin, stopSoon } = await startTestGateway([instance]);
    stopSoon();
    const [response] = (await once(get(`${origin}/api/things`), "response")) as [IncomingMessage];
    expect([response.headers.connection, await text(response)]).toEqual(["close", "ok"]);
  });
});

describe("streams", () => {
  test("the first part of an answer arrives before the last is written", async () => {
    let finish = () => {};
    const { origin: instance } = await serve((_incoming, outgoing) => {
      outgoing.write("first");
      finish = () => outgoing.end("last");
    });
    const { origin } = await startTestGateway([instance]);
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    const [first] = await once(answer, "data");
    expect(String(first)).toBe("first");
    finish();
    expect(await text(answer)).toBe("last");
  });

  test("the first part of a body arrives before the last is sent", async () => {
    const began = Promise.withResolvers<string>();
    const { origin: instance } = await serve(async (incoming, outgoing) => {
      incoming.once("data", (first) => began.resolve(String(first)));
      outgoing.end(String((await text(incoming)).length));
    });
    const { origin } = await startTestGateway([instance]);
    const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
    sent.write(part);
    expect(await began.promise).toMatch(/^x/);
    sent.end("last");
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect(await text(answer)).toBe(String(part.length + 4));
  });

  test("events arrive one by one, however long nothing happens between", async () => {
    let say = (_event: string) => {};
    const { origin: instance } = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      say = (event) => outgoing.write(`data: ${event}\n\n`);
    });
    const { origin } = await startTestGateway([instance], { timeouts: { idleMs: 50, perTryMs: 60 } });
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    for (const event of ["one", "two"]) {
      // Longer than any other answer may be silent.
      await delay(150);
      say(event);
      const [part] = await once(answer, "data");
      expect(String(part)).toBe(`data: ${event}\n\n`);
    }
    answer.destroy();
  });

  test("an instance is held back by a caller who reads slowly", async () => {
    let madeBytes = 0;
    const { origin: instance } = await serve((_incoming, outgoing) => {
      endless((bytes) => {
        madeBytes += bytes;
      }).pipe(outgoing);
    });
    const { origin } = await startTestGateway([instance]);
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await until("nothing more to be made", () => isAtRest(() => madeBytes));
    expect(madeBytes).toBeLessThan(32 * mebibyte);
    let readBytes = 0;
    for await (const chunk of answer) {
      readBytes += chunk.length;
      if (readBytes > 64 * mebibyte) {
        break;
      }
    }
    expect(madeBytes).toBeLessThan(readBytes + 32 * mebibyte);
  });

  test("a caller who stops reading is let go after a while, and is no mark against the instance", async () => {
    const { origin: instance } = await serve((_incoming, outgoing) => {
      endless(() => undefined).pipe(outgoing);
    });
    const { origin, upstream, logged } = await startTestGateway([instance], { timeouts: { idleMs: 100 } });
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await until("the line", () => logged.length > 0);
    expect(logged[0]).toMatchObject({ cause: "the caller reads too slowly" });
    expect(upstream.snapshot().instances[0]).toMatchObject({ failures: 0, active: 0 });
    await expect(text(answer)).rejects.toThrow("aborted");
  });

  test("a caller is held back by an instance that reads slowly", async () => {
    let sentBytes = 0;
    const { origin: instance } = await serve((incoming) => incoming.pause());
    const { origin } = await startTestGateway([instance], {}, { maxBodyBytes: 1024 * mebibyte });
    const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
    sent.on("error", () => undefined);
    endless((bytes) => {
      sentBytes += bytes;
    }).pipe(sent);
    await until("some to be sent", () => sentBytes > 0);
    await until("nothing more to be sent", () => isAtRest(() => sentBytes));
    expect(sentBytes).toBeLessThan(32 * mebibyte);
    sent.destroy();
  });

  test("a body may take longer than a try, as long as something comes", async () => {
    const { origin: instance } = await serve(async (incoming, outgoing) =>
      outgoing.end((await text(incoming)).slice(part.length)),
    );
    const { origin } = await startTestGateway([instance], { timeouts: { perTryMs: 200 } });
    const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
    sent.write(part);
    for (const letter of "slowly") {
      sent.write(letter);
      await delay(80);
    }
    sent.end();
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect([answer.statusCode, await text(answer)]).toEqual([200, "slowly"]);
  });

  test("a body that stops coming ends with 408, and is no mark against the instance", async () => {
    const { origin: instance } = await serve((incoming) => incoming.resume());
    const { origin, upstream } = await startTestGateway([instance], { timeouts: { perTryMs: 100 } });
    const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
    sent.write(part);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect(answer.statusCode).toBe(408);
    sent.destroy();
    expect(upstream.snapshot().instances[0]).toMatchObject({ failures: 0, active: 0 });
  });
});

describe("callers who go away", () => {
  test("end the work of the instance, and are no mark against it", async () => {
    const asked = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const { origin: instance } = await serve((_incoming, outgoing) => {
      outgoing.once("close", () => gone.resolve());
      asked.resolve();
    });
    const { origin, upstream, logged } = await startTestGateway([instance]);
    const sent = get(`${origin}/api/things`, { agent: false });
    sent.on("error", () => undefined);
    await asked.promise;
    sent.destroy();
    await gone.promise;
    await until("the line", () => logged.length > 0);
    expect(logged[0]).toMatchObject({ status: 499, cause: "the caller went away" });
    expect(upstream.snapshot().instances[0]).toMatchObject({ failures: 0, active: 0 });
  });

  test("end it too in the middle of an answer, and in the middle of a body", async () => {
    const ended: string[] = [];
    let began = false;
    const { origin: instance } = await serve((incoming, outgoing) => {
      outgoing.once("close", () => ended.push(incoming.method ?? ""));
      incoming.on("error", () => undefined);
      incoming.on("data", () => {
        began = true;
      });
      if (incoming.method === "GET") {
        outgoing.write("first");
      }
    });
    const { origin } = await startTestGateway([instance]);
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await once(answer, "data");
    answer.destroy();
    await until("the answer to end", () => ended.includes("GET"));
    const sent = request(`${origin}/api/things`, { method: "POST", agent: false });
    sent.on("error", () => undefined);
    sent.write(part);
    await until("the body to arrive", () => began);
    sent.destroy();
    await until("the request to end", () => ended.includes("POST"));
  });
});

describe("when an instance has no connection left", () => {
  /** Enough for so many requests at once to be answered, by a machine with other work too. */
  const timeouts = { perTryMs: 1000 };
  /** An instance all of whose connections are taken by answers that go on until `finish`; and others, which get as much. */
  async function full(policy: object, ...others: string[]) {
    const endings: (() => void)[] = [];
    let connections = 0;
    const { server, origin: instance } = await serve((incoming, outgoing) => {
      if (incoming.url?.endsWith("long")) {
        outgoing.write("first");
        endings.push(() => outgoing.end());
      } else {
        outgoing.end("short");
      }
    });
    server.on("connection", () => {
      connections += 1;
    });
    const gateway = await startTestGateway([instance, ...others], {
      balancing: "round-robin",
      ...policy,
    });
    const answers = await Promise.all(
      Array.from({ length: 256 * (1 + others.length) }, async () => {
        const sent = get(`${gateway.origin}/api/things/long`, { agent: false });
        const [answer] = (await once(sent, "response")) as [IncomingMessage];
        return answer;
      }),
    );
    const finish = async () => {
      for (const end of endings) {
        end();
      }
      await Promise.all(answers.map((answer) => text(answer)));
    };
    return { ...gateway, finish, connections: () => connections };
  }

  test("who waits hears that the service is busy, which is no mark against the instance", async () => {
    const { origin, upstream } = await full({ timeouts });
    expect(await ask(`${origin}/api/things`)).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      body: expect.stringContaining("thing is busy"),
    });
    expect(upstream.snapshot().instances[0]).toMatchObject({ failures: 0, active: 256 });
  });

  test("another one is asked, with POST too", async () => {
    const { origin: other } = await serve((_incoming, outgoing) => outgoing.end("other"));
    const { origin, logged } = await full({ timeouts }, other);
    const url = `${origin}/api/things`;
    const asked = { method: "POST", body: "once" };
    const answers = [await ask(url, asked), await ask(url, asked)];
    expect(answers).toMatchObject([{ body: "other" }, { body: "other" }]);
    await until("a line of two attempts", () => logged.some(({ attempts }) => attempts === 2));
  });

  test("who no longer waits costs the next ones no connection", async () => {
    const { origin, upstream, finish, connections } = await full({ timeouts });
    await Promise.all(Array.from({ length: 10 }, () => ask(`${origin}/api/things`)));
    await finish();
    await until("all to be free", () => upstream.snapshot().instances[0]?.active === 0);
    const answers = await Promise.all(Array.from({ length: 256 }, () => ask(`${origin}/api/things`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(connections()).toBe(256);
  });
});

test("what is kept is refreshed for the next ones, though its caller has been answered long before", async () => {
  let asked = 0;
  let answer = () => {};
  const { origin: instance } = await serve((_incoming, outgoing) => {
    asked += 1;
    const body = `answer ${asked}`;
    outgoing.setHeader("cache-control", "max-age=1, stale-while-revalidate=60");
    answer = () => outgoing.end(body);
    if (asked === 1) {
      answer();
    }
  });
  const { origin } = await startTestGateway([instance]);
  const body = async () => (await ask(`${origin}/api/things`)).body;
  expect(await body()).toBe("answer 1");
  await until("it to be old", async () => (await body()) === "answer 1" && asked === 2);
  // Its connection has ended by now.
  answer();
  await until("the new one", async () => (await body()) === "answer 2");
});

test("what is kept for a host in the target is not given out for the one in Host", async () => {
  const { origin: instance } = await serve((incoming, outgoing) => {
    outgoing.setHeader("cache-control", "max-age=60");
    outgoing.end(`for ${incoming.headers.host}`);
  });
  const { origin, port } = await startTestGateway([instance]);
  const { closed, received } = await connectRaw(
    port,
    "GET http://elsewhere/api/things HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
  );
  await closed;
  expect(received()).toContain("for elsewhere");
  expect(await ask(`${origin}/api/things`, { headers: { host: "shop" } })).toMatchObject({
    body: "for shop",
  });
});

describe("when an instance fails", () => {
  /** Takes a request whole, and ends the connection without an answer. */
  const breaking = async () => {
    const asked: string[] = [];
    const { origin } = await serve(async (incoming) => {
      asked.push(`${incoming.method} ${await text(incoming)}`);
      incoming.socket.destroy();
    });
    return { origin, asked };
  };
  const echoing = () =>
    serve(async (incoming, outgoing) => outgoing.end(`${incoming.method} ${await text(incoming)}`));
  /** The answers to two requests, of which one is sent to each of two instances first. */
  const twice = async (url: string, asked?: Asked) => [await ask(url, asked), await ask(url, asked)];

  test.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])("%s is sent to another one", async (method) => {
    const [bad, good] = await Promise.all([breaking(), echoing()]);
    const { origin, tokenOf } = await startTestGateway([bad.origin, good.origin]);
    const headers = { authorization: `Bearer ${await tokenOf(101)}` };
    const answers = await twice(`${origin}/api/secrets`, { method, headers });
    expect(bad.asked[0]).toBe(`${method} `);
    const body = method === "HEAD" ? "" : `${method} `;
    expect(answers).toMatchObject([
      { status: 200, body },
      { status: 200, body },
    ]);
  });

  test.each(["POST", "PATCH"])("%s is not, since it may have been carried out", async (method) => {
    const [bad, good] = await Promise.all([breaking(), echoing()]);
    const { origin } = await startTestGateway([bad.origin, good.origin]);
    const answers = await twice(`${origin}/api/things`, { method, body: "once" });
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 502]);
    expect(answers.find(({ status }) => status === 502)?.headers).toMatchObject({
      "content-type": "application/problem+json",
    });
  });

  test("POST with an Idempotency-Key is sent to another one, with its body", async () => {
    const [bad, good] = await Promise.all([breaking(), echoing()]);
    const { origin } = await startTestGateway([bad.origin, good.origin]);
    const headers = { "idempotency-key": "a" };
    const answers = await twice(`${origin}/api/things`, { method: "POST", headers, body: "again" });
    expect(bad.asked[0]).toBe("POST again");
    expect(answers).toMatchObject([{ body: "POST again" }, { body: "POST again" }]);
  });

  test("a body of which a part is gone can't be sent to another one", async () => {
    const cutting = () => serve((incoming) => incoming.once("data", () => incoming.socket.destroy()));
    const instances = await Promise.all([cutting(), cutting()]);
    const { origin, upstream } = await startTestGateway(instances.map((instance) => instance.origin));
    const sent = request(`${origin}/api/things`, { method: "PUT", agent: false });
    sent.on("error", () => undefined);
    sent.write(part);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect(answer.statusCode).toBe(502);
    sent.destroy();
    expect(
      upstream
        .snapshot()
        .instances.map(({ total }) => total)
        .toSorted(),
    ).toEqual([0, 1]);
  });

  test("whatever could not be connected is sent to another one, POST too", async () => {
    const { origin: good } = await echoing();
    const { origin } = await startTestGateway([nobody, good]);
    const answers = await twice(`${origin}/api/things`, { method: "POST", body: "once" });
    expect(answers).toMatchObject([{ body: "POST once" }, { body: "POST once" }]);
    const larger = await twice(`${origin}/api/things`, { method: "POST", body: part });
    expect(larger).toMatchObject([{ body: `POST ${part}` }, { body: `POST ${part}` }]);
  });

  test("what says 503 is asked no more for this request; where there is no other, its 503 passes", async () => {
    const { origin: busy } = await serve((_incoming, outgoing) => {
      outgoing.writeHead(503, { "retry-after": "7" }).end("busy");
    });
    const { origin: good } = await echoing();
    const two = await startTestGateway([busy, good]);
    expect(await twice(`${two.origin}/api/things`)).toMatchObject([{ status: 200 }, { status: 200 }]);
    const one = await startTestGateway([busy]);
    expect(await ask(`${one.origin}/api/things`)).toMatchObject({
      status: 503,
      body: "busy",
      headers: { "retry-after": "7" },
    });
  });

  test("an error of the service itself, such as 500 or 404, is its answer", async () => {
    const { origin: instance } = await serve((incoming, outgoing) => {
      outgoing.writeHead(Number(incoming.url?.split("/").at(-1))).end("own");
    });
    const { origin, upstream } = await startTestGateway([instance]);
    for (const status of [404, 500]) {
      expect(await ask(`${origin}/api/things/${status}`)).toMatchObject({ status, body: "own" });
    }
    expect(upstream.snapshot().instances[0]).toMatchObject({ total: 2, failures: 0 });
  });

  test("one that hangs is left for another one, and its work ends", async () => {
    const gone = Promise.withResolvers<void>();
    const { origin: hanging } = await serve((_incoming, outgoing) => {
      outgoing.once("close", () => gone.resolve());
    });
    const { origin: good } = await echoing();
    const { origin, logged } = await startTestGateway([hanging, good], { timeouts: { perTryMs: 100 } });
    expect(await twice(`${origin}/api/things`)).toMatchObject([{ status: 200 }, { status: 200 }]);
    await gone.promise;
    await until("both lines", () => logged.length === 2);
    expect(logged.map(({ attempts }) => attempts)).toContain(2);
  });

  test("when all hang, 504 comes in the time that all tries have together", async () => {
    let asked = 0;
    const hanging = () =>
      serve(() => {
        asked += 1;
      });
    const instances = await Promise.all([hanging(), hanging(), hanging()]);
    const { origin } = await startTestGateway(
      instances.map((instance) => instance.origin),
      { timeouts: { perTryMs: 150, totalMs: 200 } },
    );
    const startedMs = performance.now();
    expect(await ask(`${origin}/api/things`)).toMatchObject({ status: 504 });
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(asked).toBe(2);
  });

  test("no more are asked than the policy says", async () => {
    const instances = await Promise.all([breaking(), breaking(), breaking(), breaking()]);
    const { origin, logged } = await startTestGateway(
      instances.map((instance) => instance.origin),
      { retries: { max: 2 } },
    );
    expect(await ask(`${origin}/api/things`)).toMatchObject({ status: 502 });
    await until("the line", () => logged.length > 0);
    expect(logged[0]).toMatchObject({ attempts: 3 });
  });

  test("retries have a budget: a service that is down isn't asked three times as often", async () => {
    const instances = await Promise.all([breaking(), breaking(), breaking()]);
    const { origin } = await startTestGateway(
      instances.map((instance) => instance.origin),
      { retries: { budgetShare: 0.2, budgetPerSecond: 0 }, passiveHealth: { maxEjectedShare: 0 } },
    );
    await Promise.all(Array.from({ length: 100 }, () => ask(`${origin}/api/things`)));
    const asked = instances.reduce((sum, instance) => sum + instance.asked.length, 0);
    expect(asked).toBeGreaterThan(100);
    expect(asked).toBeLessThanOrEqual(120);
  });

  test("half an answer is not made whole: the connection ends", async () => {
    const { origin: instance } = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-length": 10 });
      outgoing.write("half", () => outgoing.destroy());
    });
    const { origin, upstream, logged } = await startTestGateway([instance]);
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await expect(text(answer)).rejects.toThrow("aborted");
    await until("the line", () => logged.length > 0);
    expect(upstream.snapshot().instances[0]).toMatchObject({ failures: 1, active: 0 });
  });

  test("an answer that stops in the middle ends after the time it may be silent", async () => {
    const { origin: instance } = await serve((_incoming, outgoing) => {
      outgoing.write("half");
    });
    const { origin } = await startTestGateway([instance], { timeouts: { idleMs: 100 } });
    const [answer] = (await once(get(`${origin}/api/things`, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await expect(text(answer)).rejects.toThrow("aborted");
  });

  test("a service that keeps failing is let alone for a while: its callers hear so at once", async () => {
    let asked = 0;
    const { origin: instance } = await serve((incoming) => {
      asked += 1;
      incoming.socket.destroy();
    });
    const { origin, upstream } = await startTestGateway([instance], {
      circuitBreaker: { minPerSecond: 1, windowMs: 1000, halfOpenAfterMs: 60_000 },
      retries: { max: 0 },
    });
    while (upstream.breaker.state === "closed") {
      expect(await ask(`${origin}/api/things`)).toMatchObject({ status: 502 });
    }
    const before = asked;
    expect(await ask(`${origin}/api/things`)).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      body: expect.stringContaining("has failed too often"),
    });
    expect(asked).toBe(before);
  });

  test("a service without instances is 503 at once", async () => {
    const { origin } = await startTestGateway([]);
    expect(await ask(`${origin}/api/things`)).toMatchObject({
      status: 503,
      headers: { "retry-after": "1", "content-type": "application/problem+json" },
    });
  });
});

/** As much as is taken, in parts. */
function endless(onMade: (bytes: number) => void): Readable {
  const bytes = Buffer.alloc(65_536);
  return new Readable({
    read() {
      onMade(bytes.length);
      this.push(bytes);
    },
  });
}

async function isAtRest(count: () => number): Promise<boolean> {
  const before = count();
  await delay(200);
  return before > 0 && count() === before;
}
