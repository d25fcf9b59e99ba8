import type { IncomingMessage } from "node:http";
import type { Upstream } from "@lab/discovery";
import { continueTrace, type Trace } from "@lab/service-kit";
import type { CacheResult } from "./cache/cache.ts";
import type { Identity } from "./identity/identities.ts";
import type { Verdict } from "./limits/rate-limits.ts";
import type { Refusal } from "./problems.ts";
import type { Course } from "./proxy/exchange.ts";
import type { RequestTarget } from "./request-target.ts";
import type { Destination } from "./routes.ts";

/** A request on its way through the gateway, and what was found out about it so far. */
export class Call {
  readonly incoming: IncomingMessage;
  readonly trace: Trace;
  readonly startedMs = performance.now();
  /** The client's address. */
  client = "";
  target: RequestTarget = { path: "", pathAndQuery: "" };
  destination: Destination | undefined;
  upstream: Upstream | undefined;
  identity: Identity | undefined;
  verdict: Verdict | undefined;
  cacheResult: CacheResult | undefined;
  /** With the instances of the service, if any was asked. */
  course: Course | undefined;
  /** Whether it goes on as a WebSocket. */
  isSwitched = false;
  /** Why there was no answer of an instance. */
  cause: string | undefined;

  constructor(incoming: IncomingMessage) {
    this.incoming = incoming;
    this.trace = continueTrace(incoming.headers.traceparent as string | undefined);
  }
}

/** A call that goes no further. */
export class RefusedError extends Error {
  override name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.detail, options);
    this.refusal = refusal;
  }
}
