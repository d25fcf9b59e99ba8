import type { IncomingHttpHeaders } from "node:http";

/**
 * Headers that are for one connection only (RFC 9110 §7.6.1), and never handed on. `expect` is among them because this server
 * has answered it with 100 already (RFC 9110 §10.1.1), and undici refuses to send it.
 */
const hopByHop = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The headers to hand on: all but those of the connection, which its `Connection` header may name more of. */
export function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = new Set((headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !named.has(name)),
  );
}
