import { randomFillSync } from "node:crypto";

/** Where in a trace a request is (https://www.w3.org/TR/trace-context/). */
export interface Trace {
  /** 32 hexadecimal digits, the same for everything that one request causes. */
  traceId: string;
  /** The header that says so to the next service. */
  traceparent: string;
}

const header = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;

/** Goes on with the trace of a `traceparent` header, or begins one where there is none that can be read. */
export function continueTrace(traceparent: string | undefined): Trace {
  const [, traceId = randomHex(16), flags = "01"] =
    (traceparent === undefined ? undefined : header.exec(traceparent)) ?? [];
  return { traceId, traceparent: `00-${traceId}-${randomHex(8)}-${flags}` };
}

const store = Buffer.alloc(8192);
let used = store.length;

/** Random bytes as hexadecimal digits. Each request wants some, and to ask for a few costs as much as to ask for many. */
function randomHex(bytes: number): string {
  if (used + bytes > store.length) {
    randomFillSync(store);
    used = 0;
  }
  used += bytes;
  return store.toString("hex", used - bytes, used);
}
