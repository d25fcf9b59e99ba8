import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Logger, loggedPath } from "@lab/service-kit";
import type { Admission } from "./admission.ts";
import type { Cache } from "./cache/cache.ts";
import { Call, RefusedError } from "./call.ts";
import { forwardedFor, plainAddress } from "./client-address.ts";
import { rateLimitHeaders } from "./limits/rate-limits.ts";
import * as metrics from "./metrics.ts";
import type { Policies } from "./policies/policies.ts";
import { refuse } from "./problems.ts";
import { BodyError, bodyOf, hasBody } from "./proxy/body.ts";
import { Exchange, type Outbound, type Wires } from "./proxy/exchange.ts";
import { requestHeaders } from "./proxy/headers.ts";
import { CallerSink, type Sink } from "./proxy/sink.ts";
import { Tunnel } from "./proxy/tunnel.ts";

/** May be carried out twice with the same effect (RFC 9110 §9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
const safe = new Set(["GET", "HEAD", "OPTIONS"]);

export interface GatewayOptions {
  admission: Admission;
  wires: Wires;
  accessLog: Logger;
  log: Logger;
  isStopping(): boolean;
}

/** What may change while it runs. */
export interface GatewayState {
  policies: Policies;
  cache: Cache;
}

/**
 * The way of a request: it is let in, or refused; answered from the cache, or by an instance; and told of in one line of the log.
 * It works on Node's own request and response: bodies are never in memory as a whole, small ones and what the cache keeps excepted.
 */
export class Gateway {
  readonly #options: GatewayOptions;
  #state: GatewayState;

  constructor(options: GatewayOptions, state: GatewayState) {
    this.#options = options;
    this.#state = state;
  }

  /** For the requests from now on; those under way end as they began. */
  configure(state: GatewayState): void {
    this.#state = state;
  }

  handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const call = new Call(incoming);
    outgoing.once("close", () => this.#close(call, outgoing));
    const fail = (error: Error) => this.#fail(call, outgoing, error);
    try {
      const admitted = this.#options.admission.admit(call);
      if (admitted) {
        admitted.then(() => this.#forward(call, outgoing)).catch(fail);
      } else {
        // Most requests come here without having waited for anything.
        this.#forward(call, outgoing)?.catch(fail);
      }
    } catch (error) {
      fail(error as Error);
    }
  }

  /** A request to go on in another protocol: WebSocket, and no other. */
  async upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const call = new Call(incoming);
    const outgoing = new ServerResponse(incoming);
    outgoing.shouldKeepAlive = false;
    outgoing.once("finish", () => socket.end());
    socket.once("close", () => this.#close(call, outgoing));
    try {
      outgoing.assignSocket(socket as Socket);
      await this.#options.admission.admit(call);
      const tunnel = new Tunnel({
        outbound: this.#outboundOf(call, null),
        socket: socket as Socket,
        head,
        sink: this.#sinkOf(call, outgoing),
        wires: this.#options.wires,
        onSwitch: () => {
          call.isSwitched = true;
          outgoing.detachSocket(socket as Socket);
        },
      });
      call.course = tunnel;
      tunnel.open();
    } catch (error) {
      this.#fail(call, outgoing, error as Error);
    }
  }

  #forward(call: Call, outgoing: ServerResponse): Promise<void> | undefined {
    const { incoming } = call;
    if (!hasBody(incoming)) {
      this.#answer(call, outgoing, null);
      return undefined;
    }
    return this.#bodyOf(incoming, outgoing).then((body) => this.#answer(call, outgoing, body));
  }

  #answer(call: Call, outgoing: ServerResponse, body: Outbound["body"]): void {
    if (outgoing.destroyed) {
      return;
    }
    const { incoming } = call;
    const sink = this.#sinkOf(call, outgoing);
    const outbound = this.#outboundOf(call, body);
    const { cache } = this.#state;
    if (incoming.method === "GET" && body === null && incoming.headers.range === undefined) {
      cache.answer({
        request: { method: "GET", url: call.target.pathAndQuery, headers: headersOf(call) },
        hasToken: call.identity !== undefined,
        caller: sink,
        send: (to, validators) =>
          this.#send(call, outgoing, validators ? withConditions(outbound, validators) : outbound, to),
        refresh: (to, validators) => this.#exchange(withConditions(outbound, validators), to).start(),
        onResult: (result) => {
          call.cacheResult = result;
          metrics.cached.inc({ upstream: outbound.upstream.name, result });
        },
      });
      return;
    }
    this.#send(call, outgoing, outbound, sink);
  }

  #sinkOf(call: Call, outgoing: ServerResponse): CallerSink {
    return new CallerSink(outgoing, this.#ownHeaders(call), (failure) =>
      this.#refuse(call, outgoing, failure),
    );
  }

  #send(call: Call, outgoing: ServerResponse, outbound: Outbound, sink: Sink): void {
    if (outgoing.destroyed) {
      // Its caller went away while it waited for somebody else's answer.
      sink.broken();
      return;
    }
    const exchange = this.#exchange(outbound, sink);
    call.course = exchange;
    exchange.start();
  }

  #exchange(outbound: Outbound, sink: Sink): Exchange {
    const exchange = new Exchange(outbound, sink, this.#options.wires, () => {
      if (!safe.has(outbound.method) && exchange.cause === undefined) {
        this.#state.cache.forget(outbound.pathAndQuery);
      }
    });
    return exchange;
  }

  async #bodyOf(incoming: IncomingMessage, outgoing: ServerResponse): Promise<Outbound["body"]> {
    // A client of HTTP/1.0 waits for nothing (RFC 9110 §10.1.1).
    if (incoming.headers.expect !== undefined && incoming.httpVersion === "1.1") {
      outgoing.writeContinue();
    }
    return bodyOf(incoming, this.#state.policies.maxBodyBytes, this.#options.wires.deadlines);
  }

  #outboundOf(call: Call, body: Outbound["body"]): Outbound {
    const { incoming, target, trace, identity, client, upstream } = call;
    const { method = "GET", headers, rawHeaders, socket } = incoming;
    const peer = plainAddress(socket.remoteAddress ?? "");
    return {
      upstream: upstream as NonNullable<typeof upstream>,
      method,
      pathAndQuery: target.pathAndQuery,
      headers: requestHeaders(rawHeaders, headers.connection, {
        // Only what trusted proxies have said is handed on: otherwise the client is the peer itself.
        forwardedFor: client === peer ? peer : [...forwardedFor(headers), peer].join(", "),
        traceparent: trace.traceparent,
        token: identity?.internal.text,
        authority: target.authority,
      }),
      body,
      isRepeatable: idempotent.has(method) || headers["idempotency-key"] !== undefined,
      key: client,
    };
  }

  #ownHeaders({ verdict }: Call): string[] {
    const headers = verdict ? rateLimitHeaders(verdict) : [];
    return this.#options.isStopping() ? [...headers, "Connection", "close"] : headers;
  }

  #fail(call: Call, outgoing: ServerResponse, error: Error): void {
    if (error instanceof RefusedError) {
      this.#refuse(call, outgoing, error.refusal);
    } else if (error instanceof BodyError) {
      this.#refuse(call, outgoing, { status: error.status, detail: error.message });
    } else {
      this.#options.log.error({ err: error, traceId: call.trace.traceId }, "unexpected error");
      this.#refuse(call, outgoing, {
        status: 500,
        detail: "The gateway failed unexpectedly; its log has the details under this traceId.",
      });
    }
  }

  #refuse(
    call: Call,
    outgoing: ServerResponse,
    refusal: { status: number; detail: string; headers?: readonly string[]; cause?: string },
  ): void {
    call.cause ??= refusal.cause;
    const headers = [...(refusal.headers ?? []), ...this.#ownHeaders(call)];
    refuse(call.incoming, outgoing, { ...refusal, headers }, call.trace.traceId);
  }

  /** The caller has its answer, or is gone: then whatever is still done for it ends. */
  #close(call: Call, outgoing: ServerResponse): void {
    call.course?.cancel();
    this.#report(call, outgoing);
  }

  /** One line for each request, and its numbers. */
  #report(call: Call, outgoing: ServerResponse): void {
    const { course, destination, incoming, target, trace, startedMs, upstream } = call;
    const durationMs = performance.now() - startedMs;
    const status = call.isSwitched ? 101 : outgoing.headersSent ? outgoing.statusCode : 499;
    const route = destination?.prefix ?? "none";
    metrics.requests.inc({ route, status });
    metrics.requestSeconds.observe({ route }, durationMs / 1000);
    if (course && upstream) {
      metrics.upstreamSeconds.observe({ upstream: upstream.name }, course.upstreamMs / 1000);
      if (course.attempts > 1) {
        metrics.retries.inc({ upstream: upstream.name }, course.attempts - 1);
      }
    }
    this.#options.accessLog.info(
      {
        traceId: trace.traceId,
        method: incoming.method,
        path: loggedPath(target.path || withoutQuery(incoming.url ?? "")),
        status,
        durationMs: rounded(durationMs),
        client: call.client,
        user: call.identity?.claims.sub,
        upstream: upstream?.name,
        endpoint: course?.instance?.endpoint.origin,
        attempts: course?.attempts,
        upstreamMs: course && rounded(course.upstreamMs),
        gatewayMs: course && rounded(durationMs - course.upstreamMs),
        cache: call.cacheResult,
        cause: course?.cause ?? call.cause,
      },
      "request",
    );
  }
}

/** As they are, but with the host that counts (RFC 9112 §3.2.2). */
function headersOf({ incoming: { headers }, target: { authority } }: Call): IncomingHttpHeaders {
  return authority === undefined ? headers : { ...headers, host: authority };
}

/** An outbound with conditions in place of the caller's. */
function withConditions(outbound: Outbound, conditions: Record<string, string>): Outbound {
  const headers = outbound.headers.filter(
    (_, index) => !/^if-/i.test(outbound.headers[index - (index % 2)] as string),
  );
  return { ...outbound, headers: [...headers, ...Object.entries(conditions).flat()] };
}

/** Of a target that was not read: a query may hold what is nobody's business. */
function withoutQuery(target: string): string {
  return target.split("?", 1)[0] as string;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
