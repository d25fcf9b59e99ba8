/**
 * Headers that are for one connection only (RFC 9110 §7.6.1), and never handed on. `expect` is among them because this server
 * answers it itself (RFC 9110 §10.1.1), and `http2-settings` because it belongs to an upgrade (RFC 9113 §3.2.1).
 */
const hopByHop = new Set([
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** What the gateway says itself about a request, and so takes from nobody. */
const ownRequestHeaders = new Set([
  "authorization",
  "forwarded",
  "traceparent",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
]);

/** What the gateway says of a request to the instance that gets it. */
export interface RequestFacts {
  /** Its client, and the proxies that it came through, nearest last. */
  forwardedFor: string;
  traceparent: string;
  /** The internal token of who has sent it. */
  token: string | undefined;
  /** Of the target, where that was in absolute form: it counts more than the `Host` header (RFC 9112 §3.2.2). */
  authority?: string;
}

/**
 * The headers of a request to hand on.
 *
 * @param raw names and values in turn, as Node.js has them
 * @param connection the value of `Connection`, which may name more headers that are for this connection only
 * @returns names and values in turn
 */
export function requestHeaders(raw: string[], connection: string | undefined, facts: RequestFacts): string[] {
  const named = namedBy(connection);
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || ownRequestHeaders.has(lower) || named?.has(lower)) {
      continue;
    }
    if (lower === "trailer" || (lower === "host" && facts.authority !== undefined)) {
      // undici sends no trailers, so none may be announced.
      continue;
    }
    headers.push(name, raw[index + 1] as string);
  }
  if (facts.authority !== undefined) {
    headers.push("host", facts.authority);
  }
  headers.push("x-forwarded-for", facts.forwardedFor, "x-forwarded-proto", "http");
  headers.push("traceparent", facts.traceparent);
  if (facts.token !== undefined) {
    headers.push("authorization", `Bearer ${facts.token}`);
  }
  return headers;
}

/**
 * The headers of an answer to hand on.
 *
 * @param raw names and values in turn, as undici has them
 * @returns names and values in turn, as `ServerResponse.writeHead` takes them
 */
export function responseHeaders(raw: readonly (Buffer | string)[]): string[] {
  const named = namedBy(joinedValue(raw, "connection"));
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = latin1(raw[index] as Buffer | string);
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !named?.has(lower)) {
      headers.push(name, latin1(raw[index + 1] as Buffer | string));
    }
  }
  return headers;
}

/** The values of all headers of a name, which is in lower case, as one (RFC 9110 §5.3). */
function joinedValue(raw: readonly (Buffer | string)[], name: string): string | undefined {
  let joined: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.length === name.length && latin1(raw[index] as Buffer | string).toLowerCase() === name) {
      const value = latin1(raw[index + 1] as Buffer | string);
      joined = joined === undefined ? value : `${joined}, ${value}`;
    }
  }
  return joined;
}

/** The headers that `Connection` names; `undefined` for the usual ones, which name none. */
function namedBy(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || /^(keep-alive|close)$/i.test(connection)) {
    return undefined;
  }
  return new Set(connection.split(",").map((name) => name.trim().toLowerCase()));
}

/** Text as it is on the wire. */
export function latin1(text: Buffer | string): string {
  return typeof text === "string" ? text : text.toString("latin1");
}
