import { prometheus } from "@hono/prometheus";
import { OpenAPIHono } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { Registry } from "prom-client";
import type { Identity } from "./auth.ts";
import { guardBody, guardPath } from "./body.ts";
import type { Logger } from "./log.ts";
import { loggedPath } from "./logged-path.ts";
import { printProcessMetrics } from "./metrics.ts";
import { Problem, problemResponse } from "./problem.ts";
import { runWork } from "./work.ts";

/** What handlers find in `c.get(…)`. */
export interface AppEnvironment {
  Variables: {
    /** Logs with the request's trace id. */
    log: Logger;
    traceId: string;
    /** The header to send on to other services. */
    traceparent: string;
    /** Who has sent the request, where a middleware of `createAuth` has found it out. */
    identity?: Identity;
  };
}

export interface AppOptions {
  name: string;
  /** For the OpenAPI document. */
  description: string;
  log: Logger;
  /** Whether the process has been told to end: it is unready then, and closes its connections. */
  isStopping(): boolean;
  /**
   * What must answer for the service to be of use, by name; each throws when it doesn't. One that the service can do without for a
   * while says so with a `note`, which `/readyz` shows.
   */
  backends?: Record<string, () => Promise<unknown>>;
  /** Whether an error means that a backend is away, so that the caller may try again: 503 instead of 500. */
  isBackendAway?(error: Error): boolean;
  /** Bodies with more get 413. By default 64 KiB; with `Infinity` bodies aren't looked at, for one who hands them on. */
  maxBodyBytes?: number;
}

/** How long `/readyz` waits for a backend; below the 3 s that Consul gives the check. */
const readyTimeoutMs = 2000;

const defaultMaxBodyBytes = 64 * 1024;

const unlogged = new Set(["/livez", "/readyz", "/metrics"]);

/**
 * A Hono app with what every service has: problem documents, trace and access log, limits of what a request may hold, `/livez`,
 * `/readyz`, `/metrics` and `/openapi.json`.
 */
export function createApp(options: AppOptions): OpenAPIHono<AppEnvironment> {
  const { name, description, log, isStopping, backends = {}, maxBodyBytes = defaultMaxBodyBytes } = options;
  const app = new OpenAPIHono<AppEnvironment>({
    defaultHook(result, c) {
      if (!result.success) {
        const errors = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
        return problemResponse(c, 400, `The ${result.target} is not valid.`, { errors });
      }
      return undefined;
    },
  });
  const registry = new Registry();
  registry.setDefaultLabels({ service: name });
  const { registerMetrics } = prometheus({ collectDefaultMetrics: true, registry });

  app.use((c, next) =>
    runWork({ traceparent: c.req.header("traceparent"), log }, async (work) => {
      c.set("traceId", work.traceId);
      c.set("traceparent", work.traceparent);
      c.set("log", work.log);
      const startedMs = performance.now();
      await next();
      // An answer that a handler has sent by itself can't be changed any more.
      if (isStopping() && !c.res.headers.has("x-hono-already-sent")) {
        c.header("connection", "close");
      }
      if (!unlogged.has(c.req.path)) {
        const durationMs = Math.round((performance.now() - startedMs) * 100) / 100;
        const { method, path } = c.req;
        work.log.info(
          { method, path: loggedPath(path), status: c.res.status, durationMs, stores: work.stores },
          "request",
        );
      }
    }),
  );
  app.use(registerMetrics);

  app.get("/livez", (c) => c.json({ status: "pass" }));
  app.get("/readyz", async (c) => {
    const checks = Object.fromEntries(
      await Promise.all(
        Object.entries(backends).map(async ([backend, check]) => [backend, await stateOf(check)] as const),
      ),
    );
    const passes = !isStopping() && Object.values(checks).every((state) => /^pass\b/.test(state));
    if (!passes) {
      c.header("retry-after", "1");
    }
    return c.json({ status: passes ? "pass" : "fail", stopping: isStopping(), checks }, passes ? 200 : 503);
  });
  app.get("/metrics", async (c) => {
    const texts = await Promise.all([registry.metrics(), printProcessMetrics()]);
    return c.body(texts.join("\n"), 200, { "content-type": registry.contentType });
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
  });
  const limit = Number.isFinite(maxBodyBytes) ? ` Bodies have at most ${maxBodyBytes} bytes.` : "";
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: name, version: "0.1.0", description: `${description}${limit}` },
  });

  app.use(guardPath);
  if (Number.isFinite(maxBodyBytes)) {
    app.use(guardBody(maxBodyBytes));
  }

  app.notFound((c) => problemResponse(c, 404, `${name} has nothing at ${c.req.path}.`));
  app.onError((error, c) => {
    if (error instanceof Problem) {
      return problemResponse(c, error.status, error.message, error.extensions);
    }
    if (error instanceof HTTPException) {
      return problemResponse(c, error.status as 400, error.message);
    }
    if (options.isBackendAway?.(error)) {
      c.get("log").warn({ err: error }, "a backend is away");
      return problemResponse(c, 503, `${name} can't reach its database. Try again in a moment.`);
    }
    c.get("log").error({ err: error }, "unexpected error");
    return problemResponse(
      c,
      500,
      `${name} failed unexpectedly; its log has the details under this traceId.`,
    );
  });
  return app;
}

async function stateOf(check: () => Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await Promise.race([
      check(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("timeout")), readyTimeoutMs);
      }),
    ]);
    const { note } = (answer ?? {}) as { note?: string };
    return note === undefined ? "pass" : `pass: ${note}`;
  } catch (error) {
    return `fail: ${(error as NodeJS.ErrnoException).code ?? (error as Error).name}`;
  } finally {
    clearTimeout(timer);
  }
}
