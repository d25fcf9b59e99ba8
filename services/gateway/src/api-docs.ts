import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { isFailureStatus, type Upstream } from "@lab/discovery";
import { type ApiDocument, joinDocuments } from "@lab/service-kit";
import { Hono } from "hono";
import { request } from "undici";

/** How long a document is used before the services are asked again. */
const maxAgeMs = 10_000;
const timeoutMs = 2000;

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>The shop's API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" href="data:,">
  </head>
  <body>
    <div id="ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/page.js"></script>
  </body>
</html>
`;
const script = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", deepLinking: true, docExpansion: "none" });\n`;

/** The page's own files, and nothing from anywhere else. */
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/** The documents of all services as one, and a page that shows it. */
export function apiDocs(upstreams: Iterable<Upstream>): Hono {
  const services = [...upstreams];
  let joined: { document: ApiDocument; atMs: number } | undefined;
  const app = new Hono();
  app.get("/openapi.json", async (c) => {
    if (!joined || performance.now() - joined.atMs > maxAgeMs) {
      joined = { document: await joinAll(services), atMs: performance.now() };
    }
    return c.json(joined.document);
  });
  app.use("/docs/*", async (c, next) => {
    await next();
    c.header("content-security-policy", contentSecurityPolicy);
  });
  app.get("/docs", (c) => c.redirect("/docs/"));
  app.get("/docs/", (c) => c.html(page));
  app.get("/docs/page.js", (c) => c.body(script, 200, { "content-type": "text/javascript" }));
  app.get("/docs/swagger-ui-bundle.js", async (c) =>
    c.body(await asset("swagger-ui-bundle.js"), 200, { "content-type": "text/javascript" }),
  );
  app.get("/docs/swagger-ui.css", async (c) =>
    c.body(await asset("swagger-ui.css"), 200, { "content-type": "text/css" }),
  );
  return app;
}

/** Services that don't answer are left out, and named. */
async function joinAll(services: readonly Upstream[]): Promise<ApiDocument> {
  const documents = await Promise.all(
    services.map(async (service) => [service.name, await documentOf(service)] as const),
  );
  const missing = documents.filter(([, document]) => document === undefined).map(([name]) => name);
  const found = Object.fromEntries(
    documents.flatMap(([name, document]) => (document ? [[name, onlyApi(document)]] : [])),
  ) as Record<string, ApiDocument>;
  const info = {
    title: "The shop",
    version: "0.1.0",
    description: `All services, through the gateway.${missing.length > 0 ? ` Not there just now: ${missing.join(", ")}.` : ""}`,
  };
  return joinDocuments({ openapi: "3.1.0", info, paths: {} } as ApiDocument, found);
}

async function documentOf(service: Upstream): Promise<ApiDocument | undefined> {
  const instance = service.pick();
  if (!instance) {
    return undefined;
  }
  const startedMs = performance.now();
  let isFailure = true;
  try {
    const { statusCode, body } = await request(`${instance.endpoint.origin}/openapi.json`, {
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const text = await body.text();
    isFailure = isFailureStatus(statusCode);
    return statusCode === 200 ? (JSON.parse(text) as ApiDocument) : undefined;
  } catch {
    return undefined;
  } finally {
    service.release(instance, isFailure ? "failure" : "success", performance.now() - startedMs);
  }
}

/** What the gateway hands on: not what each instance has for itself. */
function onlyApi({ paths, ...rest }: ApiDocument): ApiDocument {
  return {
    ...rest,
    paths: Object.fromEntries(Object.entries(paths).filter(([path]) => path.startsWith("/api/"))),
  };
}

/** A file of the page: beside the bundle, or in the package where the service runs from its sources. */
async function asset(name: string): Promise<string> {
  try {
    return await readFile(join(import.meta.dirname, name), "utf8");
  } catch {
    const folder = createRequire(import.meta.url).resolve("swagger-ui-dist/package.json");
    return readFile(join(folder, "..", name), "utf8");
  }
}
