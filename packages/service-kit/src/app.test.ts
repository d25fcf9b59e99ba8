import { createRoute, z } from "@hono/zod-openapi";
import { pino } from "pino";
import { expect, test } from "vitest";
import { type AppOptions, createApp } from "./app.ts";
import { jsonBody, reply } from "./openapi.ts";
import { Problem } from "./problem.ts";
import { observe } from "./work.ts";

function appWith(options: Partial<AppOptions> = {}) {
  const lines: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const app = createApp({ name: "shelf", description: "A shelf.", log, isStopping: () => false, ...options });
  app.openapi(
    createRoute({
      method: "put",
      path: "/books/{id}",
      request: {
        params: z.object({ id: z.coerce.number().int() }),
        body: jsonBody(z.object({ title: z.string().min(1) }).openapi("Book")),
      },
      responses: reply(200, "The book", z.object({ title: z.string() })),
    }),
    (c) => c.json(c.req.valid("json"), 200),
  );
  app.get("/missing", () => {
    throw new Problem(404, "There is no such book.");
  });
  app.get("/broken", () => {
    throw new Error("secret detail");
  });
  return { app, lines };
}

test("describes itself", async () => {
  const { app } = appWith();
  const document = (await (await app.request("/openapi.json")).json()) as { paths: object };
  expect(document).toMatchObject({ openapi: "3.1.0", info: { title: "shelf" } });
  expect(Object.keys(document.paths)).toEqual(["/books/{id}"]);
});

test("what is not valid is a problem document that names the fields", async () => {
  const { app } = appWith();
  const answer = await app.request("/books/1", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: '{"title": ""}',
  });
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.json()).toMatchObject({ status: 400, errors: [{ path: "title" }] });
});

test("a body that is no JSON is a problem document", async () => {
  const { app } = appWith();
  const answer = await app.request("/books/1", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: "{",
  });
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
});

test("a body of more than the limit is 413, of known length or not", async () => {
  const { app } = appWith({ maxBodyBytes: 100 });
  const put = (body: string | ReadableStream, headers: Record<string, string> = {}) =>
    app.request("/books/1", {
      method: "PUT",
      headers: { "content-type": "application/json", ...headers },
      body,
      duplex: "half",
    } as RequestInit);
  const long = JSON.stringify({ title: "x".repeat(100) });
  expect((await put(long, { "content-length": String(long.length) })).status).toBe(413);
  expect((await put(new Blob([long]).stream())).status).toBe(413);
  expect((await put(new Blob(['{"title": "short"}']).stream())).status).toBe(200);
});

test("texts that stores can't keep are refused, wherever in a request they are", async () => {
  const { app } = appWith();
  const put = (body: string, path = "/books/1") =>
    app.request(path, {
      method: "PUT",
      headers: { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) },
      body,
    });
  expect((await put(String.raw`{"title": "a\u0000b"}`)).status).toBe(400);
  expect((await put(String.raw`{"title": "\ud83d"}`)).status).toBe(400);
  expect((await put(String.raw`{"title": "x", "\uDC00": 1}`)).status).toBe(400);
  expect((await put('{"title": "x"}', "/books/1?q=%00")).status).toBe(400);
  const whole = String.raw`{"title": "\ud83d\ude00 \\u0000"}`;
  expect(await (await put(whole)).json()).toEqual(JSON.parse(whole));
});

test("a body that is nested too deeply is refused, and brackets in texts are not counted", async () => {
  const { app } = appWith();
  const put = (body: string) =>
    app.request("/books/1", {
      method: "PUT",
      headers: { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) },
      body,
    });
  const nested = (depth: number) => `{"title": "x", "in": ${"[".repeat(depth)}${"]".repeat(depth)}}`;
  expect((await put(nested(31))).status).toBe(200);
  expect((await put(nested(32))).status).toBe(400);
  expect((await put(nested(30_000))).status).toBe(400);
  expect((await put(`{"title": "\\"${"[".repeat(100)}"}`)).status).toBe(200);
});

test("the line of a request says which stores it has asked, and how often", async () => {
  const { app, lines } = appWith();
  const shelf = observe("mysql", { find: async () => "x" }, ["find"]);
  app.get("/twice", async (c) => c.text((await shelf.find()) + (await shelf.find())));
  await app.request("/twice");
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ msg: "request", stores: { mysql: { calls: 2 } } });
});

test("no line of a request holds a path that lets in whoever knows it", async () => {
  const { app, lines } = appWith();
  const id = "8f14e45f-ceea-467f-a1d2-0f3b2c9d8e7a";
  for (const path of [`/api/cart/anon-${id}`, `/api/cart/%61non-${id}`, `/api/users/erasures/${id}?a=b`]) {
    await app.request(path);
  }
  expect(lines.map((line) => JSON.parse(line).path)).toEqual([
    "/api/cart/anon-…",
    "/api/cart/anon-…",
    "/api/users/erasures/…",
  ]);
  expect(lines.join("\n")).not.toContain(id);
});

test("errors are problem documents with the trace id; what was not foreseen stays in the log", async () => {
  const { app, lines } = appWith();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  expect(await (await app.request("/missing", { headers })).json()).toMatchObject({
    status: 404,
    detail: "There is no such book.",
    traceId,
  });
  const broken = await app.request("/broken", { headers });
  expect(broken.status).toBe(500);
  expect(await broken.text()).not.toContain("secret detail");
  expect(lines.some((line) => line.includes("secret detail") && line.includes(traceId))).toBe(true);
});

test("a backend that is away is a 503 that may be tried again", async () => {
  const { app } = appWith({ isBackendAway: (error) => error.message === "secret detail" });
  const answer = await app.request("/broken");
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("1");
});

test("is ready only while its backends answer and it is not stopping", async () => {
  let stopping = false;
  let away = false;
  const { app } = appWith({
    isStopping: () => stopping,
    backends: {
      async shelf() {
        if (away) {
          throw Object.assign(new Error("no"), { code: "ECONNREFUSED" });
        }
      },
    },
  });
  expect((await app.request("/readyz")).status).toBe(200);
  away = true;
  const unready = await app.request("/readyz");
  expect(unready.status).toBe(503);
  expect(await unready.json()).toMatchObject({ checks: { shelf: "fail: ECONNREFUSED" } });
  expect((await app.request("/livez")).status).toBe(200);
  away = false;
  stopping = true;
  const last = await app.request("/readyz");
  expect(last.status).toBe(503);
  expect(last.headers.get("connection")).toBe("close");
});

test("counts requests by route, not by path", async () => {
  const { app } = appWith();
  await app.request("/books/17", { method: "PUT" });
  const metrics = await (await app.request("/metrics")).text();
  expect(metrics).toContain('route="/books/:id"');
  expect(metrics).not.toContain("/books/17");
});
