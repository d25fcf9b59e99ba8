import { Hono } from "hono";
import { z } from "zod";
import { createApp } from "./app.ts";
import type { CommonEnvironment } from "./environment.ts";
import { type ApiDocument, joinDocuments } from "./join-documents.ts";
import { type Context, type Running, runService, type Service } from "./run.ts";

type Module = Running & { name: string };

/**
 * Runs several services in one process: a monolith. Each reads its own variables with its name before them, such as
 * `USER__MYSQL_HOST` or `PAYMENT_PROVIDER__DATA_DIR`, and answers the paths below `/api/<…>` and `/internal/<…>` that it has
 * routes for. `/readyz` says which backend of which service is away.
 *
 * @param services by name
 */
export function runTogether(services: Record<string, Service>): Promise<void> {
  return runService(together(services));
}

/** The services as one. */
export function together(services: Record<string, Service>): Service {
  const all = Object.entries(services);
  const environment = z.object(
    Object.fromEntries(
      all.flatMap(([name, { environment }]) =>
        Object.entries(environment.shape).map(([key, type]) => [`${prefixOf(name)}${key}`, type]),
      ),
    ),
  );
  return {
    environment,
    async migrate(context) {
      for (const [name, service] of all) {
        await service.migrate?.(contextOf(name, context));
      }
    },
    async start(context) {
      const modules: Module[] = [];
      for (const [name, service] of all) {
        modules.push({ name, ...(await service.start(contextOf(name, context))) });
      }
      return {
        app: appOf(context, modules),
        async close() {
          await Promise.all(modules.map((module) => module.close()));
        },
      };
    },
  };
}

function prefixOf(name: string): string {
  return `${name.replaceAll("-", "_").toUpperCase()}__`;
}

function contextOf(
  name: string,
  { environment, log, isStopping }: Context<Record<string, unknown>>,
): Context<Record<string, unknown>> {
  const prefix = prefixOf(name);
  const own = Object.entries(environment).filter(([key]) => key.startsWith(prefix));
  return {
    environment: {
      ...commonOf(environment),
      SERVICE_NAME: name,
      ...Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value])),
    },
    log: log.child({ module: name }),
    isStopping,
  };
}

function commonOf({ ENVIRONMENT, INSTANCE_ID, LOG_LEVEL }: CommonEnvironment) {
  return { ENVIRONMENT, INSTANCE_ID, LOG_LEVEL };
}

/** One front with health, metrics, one document and 404; a module answers what lies in its areas, as it came to the process. */
function appOf({ environment, log, isStopping }: Context<Record<string, unknown>>, modules: Module[]): Hono {
  const owners = ownersOf(modules);
  const front = createApp({
    name: environment.SERVICE_NAME,
    description: `In one process: ${modules.map(({ name }) => name).join(", ")}.`,
    log,
    isStopping,
    backends: Object.fromEntries(modules.map((module) => [module.name, () => beReady(module)])),
  });
  const app = new Hono();
  app.get("/metrics", async (c) => {
    const texts = [front, ...modules.map(({ app }) => app)].map(async (one) =>
      (await one.request("/metrics")).text(),
    );
    return c.text(joinMetrics(await Promise.all(texts)));
  });
  app.get("/openapi.json", async (c) => {
    const documents = modules.map(async ({ name, app }) => [name, await documentOf(app)] as const);
    return c.json(joinDocuments(await documentOf(front), Object.fromEntries(await Promise.all(documents))));
  });
  app.all("*", (c) => (owners.get(areaOf(c.req.path)) ?? front).fetch(c.req.raw, c.env));
  return app;
}

async function documentOf(app: Pick<Running["app"], "request">): Promise<ApiDocument> {
  return (await (await app.request("/openapi.json")).json()) as ApiDocument;
}

async function beReady({ app }: Module): Promise<void> {
  const response = await app.request("/readyz");
  if (response.status !== 200) {
    const { checks } = (await response.json()) as { checks: Record<string, string> };
    const failed = Object.entries(checks).filter(([, state]) => state !== "pass");
    throw Object.assign(new Error("not ready"), {
      code: failed.map(([backend, state]) => `${backend} ${state}`).join(", "),
    });
  }
}

/** `/api/users/101` lies in `/api/users`. */
function areaOf(path: string): string {
  return path.split("/", 3).join("/");
}

function ownersOf(modules: Module[]): Map<string, Running["app"]> {
  const owners = new Map<string, Module>();
  for (const module of modules) {
    const paths = module.app.routes
      .map(({ path }) => path)
      .filter((path) => /^\/(api|internal)\//.test(path));
    for (const area of new Set(paths.map(areaOf))) {
      const other = owners.get(area);
      if (other) {
        throw new Error(`${other.name} and ${module.name} both have routes below ${area}.`);
      }
      owners.set(area, module);
    }
  }
  return new Map([...owners].map(([area, { app }]) => [area, app]));
}

/** Puts metrics in the text format of Prometheus together, each family once; a label says which service's a sample is. */
function joinMetrics(texts: string[]): string {
  const families = new Map<string, Set<string>>();
  for (const text of texts) {
    let lines = new Set<string>();
    for (const line of text.split("\n").filter((line) => line !== "")) {
      const family = /^# HELP (\S+)/.exec(line)?.[1];
      if (family !== undefined) {
        lines = families.get(family) ?? new Set();
        families.set(family, lines);
      }
      lines.add(line);
    }
  }
  return `${[...families.values()].flatMap((lines) => [...lines]).join("\n")}\n`;
}
