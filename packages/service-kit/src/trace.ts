import { randomUUID } from "node:crypto";

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
  const [, traceId = randomHex(), flags = "01"] = header.exec(traceparent ?? "") ?? [];
  return { traceId, traceparent: `00-${traceId}-${randomHex().slice(16)}-${flags}` };
}

/** 32 digits, never all 0. `randomUUID` keeps a store of random bytes, where `randomBytes` asks for them each time. */
function randomHex(): string {
  return randomUUID().replaceAll("-", "");
}
