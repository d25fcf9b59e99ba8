import { createRoute, z } from "@hono/zod-openapi";
import { pino } from "pino";
import { expect, test } from "vitest";
import {
  type ApiDocument,
  operationsOf,
  resolved,
  type Schema,
} from "../../../tests/support/fuzz/operations.ts";
import { createApp } from "./app.ts";
import { EnvironmentError, readEnvironment } from "./environment.ts";
import { reply } from "./openapi.ts";
import { defineService } from "./run.ts";
import { together } from "./together.ts";

const log = pino({ enabled: false });

/** A service that answers below an area, and has a backend that may be away. */
function serviceOf(area: string, closed: string[] = [], away?: () => boolean) {
  return defineService({
    environment: z.object({ GREETING: z.string(), TIMES: z.coerce.number().default(1) }),
    async start({ environment, log, isStopping }) {
      const app = createApp({
        name: environment.SERVICE_NAME,
        description: "",
        log,
        isStopping,
        backends: {
          async store() {
            if (away?.()) {
              throw Object.assign(new Error("no"), { code: "ECONNREFUSED" });
            }
          },
        },
      });
      app.get(`/api/${area}/:id`, (c) => c.text(environment.GREETING.repeat(environment.TIMES)));
      const thing = z.object({ [area]: z.string() }).openapi("Thing");
      app.openapi(
        createRoute({ method: "get", path: `/api/${area}`, responses: reply(200, "It", thing) }),
        (c) => c.json({ [area]: "" }, 200),
      );
      return { app, close: async () => void closed.push(environment.SERVICE_NAME) };
    },
  });
}

async function start(service: ReturnType<typeof together>, variables: Record<string, string>) {
  const common = { SERVICE_NAME: "all", ENVIRONMENT: "test", INSTANCE_ID: "one", LOG_LEVEL: "info" } as const;
  const environment = { ...common, ...readEnvironment(service.environment, variables) };
  return service.start({ environment, log, isStopping: () => false });
}

test("each service has its own variables and answers its own paths", async () => {
  const closed: string[] = [];
  const running = await start(
    together({ books: serviceOf("books", closed), "card-index": serviceOf("cards", closed) }),
    { BOOKS__GREETING: "book", CARD_INDEX__GREETING: "card", CARD_INDEX__TIMES: "2" },
  );
  expect(await (await running.app.request("/api/books/1")).text()).toBe("book");
  expect(await (await running.app.request("/api/cards/1")).text()).toBe("cardcard");
  const missing = await running.app.request("/api/films/1");
  expect([missing.status, await missing.json()]).toMatchObject([
    404,
    { detail: expect.stringContaining("all") },
  ]);
  const metrics = await (await running.app.request("/metrics")).text();
  const samples = metrics.split("\n").filter((line) => line.startsWith("http_requests_total{"));
  for (const labels of [
    'route="/api/books/:id",status="200",ok="true",service="books"',
    'service="card-index"',
  ]) {
    expect(samples.filter((line) => line.includes(labels))).toHaveLength(1);
  }
  expect(metrics.match(/# TYPE http_requests_total /g)).toHaveLength(1);
  await running.close();
  expect(closed.sort()).toEqual(["books", "card-index"]);
});

test("a variable that is missing is named as it is to be set", () => {
  const read = () => readEnvironment(together({ "card-index": serviceOf("cards") }).environment, {});
  expect(read).toThrow(EnvironmentError);
  expect(read).toThrow("CARD_INDEX__GREETING is not set");
});

test("is ready when all are", async () => {
  let away = true;
  const { app } = await start(
    together({ books: serviceOf("books"), cards: serviceOf("cards", [], () => away) }),
    {
      BOOKS__GREETING: "",
      CARDS__GREETING: "",
    },
  );
  const unready = await app.request("/readyz");
  expect(unready.status).toBe(503);
  expect(await unready.json()).toMatchObject({
    checks: { books: "pass", cards: "fail: store fail: ECONNREFUSED" },
  });
  away = false;
  expect((await app.request("/readyz")).status).toBe(200);
});

test("two services can't own the same paths", async () => {
  const both = together({ books: serviceOf("books"), library: serviceOf("books") });
  await expect(start(both, { BOOKS__GREETING: "", LIBRARY__GREETING: "" })).rejects.toThrow(
    "books and library both have routes below /api/books",
  );
});

test("one document describes all, and keeps apart what two call by one name", async () => {
  const { app } = await start(together({ books: serviceOf("books"), "card-index": serviceOf("cards") }), {
    BOOKS__GREETING: "",
    CARD_INDEX__GREETING: "",
  });
  const document = (await (await app.request("/openapi.json")).json()) as ApiDocument;
  expect(document).toMatchObject({
    openapi: "3.1.0",
    info: { title: "all" },
    components: { securitySchemes: { bearer: { scheme: "bearer" } } },
  });
  const fields = operationsOf(document).map(({ path, responses }) => {
    const schema = responses[200]?.["application/json"] as Schema;
    return [path, Object.keys(resolved(document, schema).properties ?? {})];
  });
  expect(fields).toEqual([
    ["/api/books", ["books"]],
    ["/api/cards", ["cards"]],
  ]);
});
