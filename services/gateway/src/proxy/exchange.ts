import type { IncomingHttpHeaders } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { type Instance, isFailureStatus, type Upstream } from "@lab/discovery";
import type { Dispatcher } from "undici";
import { Attempt, type AttemptListener, slowCaller } from "./attempt.ts";
import type { Deadlines } from "./deadlines.ts";
import { responseHeaders } from "./headers.ts";
import type { Pools } from "./pools.ts";
import type { Failure, Sink } from "./sink.ts";

/** What is to be sent to any instance of a service. */
export interface Outbound {
  upstream: Upstream;
  method: string;
  pathAndQuery: string;
  /** Names and values in turn. */
  headers: string[];
  /** Whole, or as it comes. */
  body: Buffer | Readable | null;
  /** Whether it may be carried out twice: by its method (RFC 9110 §9.2.2), or with an `Idempotency-Key`. */
  isRepeatable: boolean;
  /** The protocol to go on in, where one is asked for. */
  upgrade?: string;
  /** Whose requests stay together, where the balancing wants that: the client's address. */
  key: string;
}

/** How it goes with the instances, for the log and the metrics. */
export interface Course {
  /** How many instances were asked. */
  readonly attempts: number;
  /** The one that was asked last. */
  readonly instance: Instance | undefined;
  /** Milliseconds until the heads of the answers, of all attempts. */
  readonly upstreamMs: number;
  /** Why there was no answer, or not all of it. */
  readonly cause: string | undefined;
  /** The caller is gone: whatever an instance does for it, ends. */
  cancel(): void;
}

/** What exchanges share. */
export interface Wires {
  pools: Pools;
  deadlines: Deadlines;
}

/** Why an attempt has ended that got none of the instance's connections in time. */
const busy = "all connections are busy";

/** Nothing of a request has reached an instance to which no connection could be made. */
const beforeConnection = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  busy,
]);

/**
 * Sends a request to an instance of a service and its answer to a sink, streaming both ways; to another instance, where the
 * first gave no answer and the rules allow it.
 */
export class Exchange implements AttemptListener, Course {
  attempts = 0;
  instance: Instance | undefined;
  upstreamMs = 0;
  cause: string | undefined;
  readonly #outbound: Outbound;
  readonly #sink: Sink;
  readonly #wires: Wires;
  readonly #onEnd: () => void;
  readonly #startedMs = performance.now();
  readonly #tried: Instance[] = [];
  #attempt: Attempt | undefined;
  #isOver = false;

  /** @param onEnd called once, when nothing more will happen */
  constructor(outbound: Outbound, sink: Sink, wires: Wires, onEnd: () => void) {
    this.#outbound = outbound;
    this.#sink = sink;
    this.#wires = wires;
    this.#onEnd = onEnd;
  }

  start(): void {
    const { upstream, key } = this.#outbound;
    const { name, breaker } = upstream;
    if (!breaker.allows()) {
      this.#giveUp({
        status: 503,
        detail: `${name} has failed too often just now. Try again in a moment.`,
        cause: "circuit open",
      });
      return;
    }
    upstream.noteRequest();
    const instance = upstream.pick(key);
    if (!instance) {
      breaker.record(true, this.#startedMs);
      this.#giveUp({
        status: 503,
        detail: `No instance of ${name} is healthy. \`lab status\` shows why.`,
        cause: "no instance",
      });
      return;
    }
    this.#ask(instance);
  }

  cancel(): void {
    if (!this.#isOver) {
      this.cause = "the caller went away";
      if (this.#attempt && !this.#attempt.isAnswering) {
        this.upstreamMs += this.#attempt.elapsedMs;
      }
      this.#attempt?.end("cancelled", this.cause);
      this.#sink.broken();
      this.#finish();
    }
  }

  onHead(
    attempt: Attempt,
    status: number,
    statusText: string,
    rawHeaders: readonly (Buffer | string)[],
  ): void {
    const { breaker } = this.#outbound.upstream;
    this.upstreamMs += attempt.latencyMs;
    const isFailure = isFailureStatus(status);
    if (isFailure) {
      const other = this.#another(`status ${status}`);
      if (other) {
        attempt.end("failure", "another instance is asked");
        this.#ask(other);
        return;
      }
    }
    breaker.record(isFailure, this.#startedMs);
    attempt.isAnswering = true;
    this.#sink.head(status, statusText, responseHeaders(rawHeaders));
    if (isFailure) {
      this.cause = `status ${status}`;
    }
  }

  onSwitch(attempt: Attempt, _rawHeaders: readonly (Buffer | string)[], _socket: Duplex): void {
    this.upstreamMs += attempt.latencyMs;
    this.#outbound.upstream.breaker.record(false, this.#startedMs);
    attempt.isAnswering = true;
    this.#finish();
  }

  onData(attempt: Attempt, chunk: Buffer): boolean {
    return this.#sink.data(chunk, attempt.resume);
  }

  onTrailers(attempt: Attempt, trailers: IncomingHttpHeaders): void {
    attempt.end(this.cause === undefined ? "success" : "failure");
    this.#sink.end(trailers);
    this.#finish();
  }

  onFailure(attempt: Attempt, cause: string): void {
    if (attempt.isAnswering) {
      this.cause = cause;
      attempt.end(cause === slowCaller || this.#faultOfCaller(cause) ? "cancelled" : "failure", cause);
      this.#sink.broken();
      this.#finish();
      return;
    }
    this.upstreamMs += attempt.elapsedMs;
    if (cause === "timeout" && !attempt.isConnected && this.#wires.pools.hasConnection(attempt.instance)) {
      this.#onBusy(attempt);
      return;
    }
    const fault = this.#faultOfCaller(cause);
    if (fault) {
      attempt.end("cancelled", cause);
      this.#giveUp(fault);
      return;
    }
    const other = this.#another(cause);
    attempt.end("failure", cause);
    if (other) {
      this.#ask(other);
      return;
    }
    const { name, breaker } = this.#outbound.upstream;
    breaker.record(true, this.#startedMs);
    this.#giveUp(
      cause === "timeout"
        ? { status: 504, detail: `${name} did not answer in time. Try again in a moment.`, cause }
        : { status: 502, detail: `An instance of ${name} did not answer (${cause}). Try again.`, cause },
    );
  }

  /** It has reached nobody: that says nothing about the instance, nor about the service. */
  #onBusy(attempt: Attempt): void {
    const other = this.#another(busy);
    attempt.end("cancelled");
    if (other) {
      this.#ask(other);
      return;
    }
    const { name } = this.#outbound.upstream;
    this.#giveUp({ status: 503, detail: `${name} is busy. Try again in a moment.`, cause: busy });
  }

  #ask(instance: Instance): void {
    const { upstream, method, pathAndQuery: path, headers, body, upgrade } = this.#outbound;
    const { perTryMs, totalMs, connectMs } = upstream.policy.timeouts;
    const nowMs = performance.now();
    const deadlineMs = Math.min(nowMs + perTryMs, this.#startedMs + totalMs);
    const attempt = new Attempt(this, upstream, instance, this.#wires.deadlines, nowMs, deadlineMs);
    this.attempts += 1;
    this.instance = instance;
    this.cause = undefined;
    this.#tried.push(instance);
    this.#attempt = attempt;
    this.#wires.pools
      .of(instance, connectMs)
      .dispatch({ method: method as Dispatcher.HttpMethod, path, headers, body, upgrade }, attempt);
  }

  /**
   * Another instance, where one may be asked: in time, within the budget, where the request may be carried out twice or has reached
   * nobody, and its body can still be had.
   */
  #another(cause: string): Instance | undefined {
    const { upstream, isRepeatable, body, key } = this.#outbound;
    const { retries, timeouts } = upstream.policy;
    const mayAsk =
      this.attempts <= retries.max &&
      performance.now() < this.#startedMs + timeouts.totalMs &&
      (isRepeatable || beforeConnection.has(cause)) &&
      !(body instanceof Readable && body.readableDidRead) &&
      upstream.mayRetry();
    return mayAsk ? upstream.pick(key, this.#tried) : undefined;
  }

  /** What the caller has done wrong, where it was the caller: no mark against the instance then. */
  #faultOfCaller(cause: string): Failure | undefined {
    const { body } = this.#outbound;
    if (cause === "UND_ERR_INVALID_ARG") {
      return {
        status: 400,
        detail: "A header or the path holds characters that HTTP does not allow.",
        cause,
      };
    }
    if (cause === "BODY_TOO_LARGE") {
      return { status: 413, detail: "The body is too large. Send less.", cause };
    }
    if (!(body instanceof Readable) || body.readableEnded) {
      return undefined;
    }
    if (cause === "timeout" || cause === "BODY_TOO_SLOW") {
      return { status: 408, detail: "The body did not come in time. Send it faster.", cause };
    }
    return body.destroyed ? { status: 400, detail: "The body is not whole.", cause } : undefined;
  }

  #giveUp(failure: Failure): void {
    this.cause = failure.cause;
    this.#sink.unanswered(failure);
    this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    this.#onEnd();
  }
}
