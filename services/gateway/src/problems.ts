import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { hasBody } from "./proxy/body.ts";

/** What the gateway answers in a service's place. */
export interface Refusal {
  status: number;
  /** What happened, and what to do, for the caller's eyes. */
  detail: string;
  /** Names and values in turn. */
  headers?: readonly string[];
  /** Ends the connection: what else comes on it can't be trusted, or is not worth reading. */
  closes?: boolean;
}

/** How the caller is to go on, by status: RFC 6750 §3, RFC 9110 §10.2.3. */
const headersOf: Partial<Record<number, readonly string[]>> = {
  401: ["WWW-Authenticate", "Bearer"],
  503: ["Retry-After", "1"],
  504: ["Retry-After", "1"],
};

/** Answers with a problem document (RFC 9457), if nothing was answered yet. */
export function refuse(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { status, detail, headers = [], closes }: Refusal,
  traceId?: string,
): void {
  if (outgoing.headersSent || outgoing.destroyed) {
    outgoing.destroy();
    return;
  }
  const body = problemDocument(status, detail, traceId);
  // What is left of the body is not read: nobody wants it, and it may never end.
  const isUnread = hasBody(incoming) && !incoming.complete;
  outgoing.writeHead(status, [
    "Content-Type",
    "application/problem+json",
    "Content-Length",
    String(Buffer.byteLength(body)),
    ...(headersOf[status] ?? []),
    ...headers,
    ...((closes || isUnread) && !headers.includes("Connection") ? ["Connection", "close"] : []),
  ]);
  outgoing.end(incoming.method === "HEAD" ? undefined : body);
}

/** The same for a connection on which there is no request that Node.js could read. */
export function refuseSocket(socket: Duplex, { status, detail, headers = [] }: Refusal): void {
  const body = problemDocument(status, detail);
  const lines = [...(headersOf[status] ?? []), ...headers];
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "Content-Type: application/problem+json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...lines.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${lines[index + 1]}`] : [])),
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
    () => socket.destroy(),
  );
}

function problemDocument(status: number, detail: string, traceId?: string): string {
  return JSON.stringify({ type: "about:blank", title: STATUS_CODES[status], status, detail, traceId });
}
