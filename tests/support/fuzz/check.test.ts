import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { afterEach, expect, test } from "vitest";
import { fuzz } from "./check.ts";
import type { ApiDocument } from "./operations.ts";

let server: Server | undefined;

afterEach(() => {
  server?.close();
});

/** What the fuzzer finds in a service with one operation. */
async function findings(
  answer: (name: string) => { status: number; body: unknown; headers?: Record<string, string> },
  { backendUp = true } = {},
): Promise<Set<string>> {
  const app = new OpenAPIHono();
  app.onError((_error, c) => c.json({}, 400));
  app.openapi(
    createRoute({
      method: "post",
      path: "/things/{name}",
      request: {
        params: z.object({ name: z.string().max(20) }),
        body: {
          required: true,
          content: { "application/json": { schema: z.object({ size: z.number().int() }) } },
        },
      },
      responses: {
        200: {
          description: "It",
          content: { "application/json": { schema: z.object({ name: z.string() }) } },
        },
        400: { description: "No", content: { "application/json": { schema: z.unknown() } } },
      },
    }),
    (c) => {
      const { status, body, headers } = answer(c.req.valid("param").name);
      return c.json(body, status as 200, headers) as never;
    },
  );
  app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "things", version: "1" } });
  server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { violations, sent } = await fuzz({
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    document: (await (await app.request("/openapi.json")).json()) as ApiDocument,
    runs: 60,
    seed: 1,
    tokens: [""],
    backendUp,
  });
  expect(sent).toBe(60);
  return new Set(violations.map(({ why }) => why));
}

test("a service that keeps to its document is not blamed", async () => {
  expect(await findings((name) => ({ status: 200, body: { name } }))).toEqual(new Set());
});

test("an answer of another shape is found", async () => {
  expect([...(await findings(() => ({ status: 200, body: { title: "a" } })))]).toEqual([
    expect.stringContaining("must have required property 'name'"),
  ]);
});

test("a status that the document does not name is found", async () => {
  expect([...(await findings(() => ({ status: 418, body: {} })))]).toEqual(["418 is not in the document"]);
});

test("input that makes a service fail is found", async () => {
  const found = await findings((name) =>
    /[^ -~]/.test(name) ? { status: 500, body: {} } : { status: 200, body: { name } },
  );
  expect([...found]).toEqual(["500 is a failure of the service"]);
});

test("with the backend away, 503 needs Retry-After", async () => {
  const away = { status: 503, body: {} };
  expect([...(await findings(() => away, { backendUp: false }))]).toEqual(["503 without Retry-After"]);
  expect([
    ...(await findings(() => ({ ...away, headers: { "retry-after": "1" } }), { backendUp: false })),
  ]).toEqual([]);
  expect([...(await findings(() => away))]).toEqual(["503 is a failure of the service"]);
});
