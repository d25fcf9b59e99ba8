/**
 * The artifact store: GET and HEAD of `/<sha256>.tar.gz` from the folder RELEASES, and `/healthz`. Nothing else.
 * Plain JavaScript without dependencies, because it must run before any bundle can be fetched.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

const { RELEASES: releases, HOST: host = "127.0.0.1", PORT: port } = process.env;
if (!releases || !port) {
  console.error("artifacts: set RELEASES (a folder) and PORT");
  process.exit(1);
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://store");
  if (request.method !== "GET" && request.method !== "HEAD") {
    return end(response, 405, { allow: "GET, HEAD" }, "Only GET and HEAD.\n");
  }
  if (pathname === "/healthz") {
    return end(response, 200, {}, "ok\n");
  }
  // Only this form reaches the file system, so a path can't leave the folder.
  const digest = /^\/([0-9a-f]{64})\.tar\.gz$/.exec(pathname)?.[1];
  const file = digest && join(releases, `${digest}.tar.gz`);
  const size = file && (await stat(file).catch(() => undefined))?.size;
  if (!file || size === undefined) {
    return end(response, 404, {}, "No such release.\n");
  }
  const etag = `"${digest}"`;
  const headers = { etag, "cache-control": "public, max-age=31536000, immutable" };
  if (request.headers["if-none-match"] === etag) {
    return end(response, 304, headers);
  }
  response.writeHead(200, { ...headers, "content-type": "application/gzip", "content-length": size });
  if (request.method === "HEAD") {
    return response.end();
  }
  createReadStream(file)
    .on("error", (error) => response.destroy(error))
    .pipe(response);
});

function end(response, status, headers, text) {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers });
  response.end(text);
}

server.listen(Number(port), host, () => console.log(`artifacts: ${releases} on http://${host}:${port}`));
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
