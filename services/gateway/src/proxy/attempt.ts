import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Instance, Outcome, Upstream } from "@lab/discovery";
import type { Dispatcher } from "undici";
import type { Deadlines, Timed } from "./deadlines.ts";

/** Why an attempt has ended whose caller did not take what the instance had for it. */
export const slowCaller = "the caller reads too slowly";

/** What becomes of an attempt. */
export interface AttemptListener {
  onHead(
    attempt: Attempt,
    status: number,
    statusText: string,
    rawHeaders: readonly (Buffer | string)[],
  ): void;
  /** @returns false when no more is wanted until `attempt.resume` is called */
  onData(attempt: Attempt, chunk: Buffer): boolean;
  onTrailers(attempt: Attempt, trailers: IncomingHttpHeaders): void;
  /** The instance goes on in the protocol that it was asked for: the attempt lasts until `attempt.end` is called. */
  onSwitch(attempt: Attempt, rawHeaders: readonly (Buffer | string)[], socket: Duplex): void;
  /** @param cause an error's code, `timeout`, or `slowCaller` */
  onFailure(attempt: Attempt, cause: string): void;
}

/** One request to one instance: undici's side of an exchange, with its deadline. */
export class Attempt implements Dispatcher.DispatchHandler, Timed {
  readonly instance: Instance;
  /** For the head of the answer, then between parts of its body. */
  deadlineMs: number;
  place = -1;
  /** How long the head of the answer took. */
  latencyMs = 0;
  isAnswering = false;
  #isHeldBack = false;
  readonly #listener: AttemptListener;
  readonly #upstream: Upstream;
  readonly #deadlines: Deadlines;
  readonly #startedMs: number;
  #controller: Dispatcher.DispatchController | undefined;
  #isOver = false;

  /** @param deadlineMs for the head of the answer */
  constructor(
    listener: AttemptListener,
    upstream: Upstream,
    instance: Instance,
    deadlines: Deadlines,
    startedMs: number,
    deadlineMs: number,
  ) {
    this.#listener = listener;
    this.#upstream = upstream;
    this.instance = instance;
    this.#deadlines = deadlines;
    this.#startedMs = startedMs;
    this.deadlineMs = deadlineMs;
    deadlines.add(this);
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** Ends it for whoever asked, and says how the instance did; what undici still reports is of no interest. */
  end(outcome: Outcome, abortFor?: string): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#deadlines.drop(this);
    this.#upstream.release(this.instance, outcome, this.isAnswering ? this.latencyMs : this.elapsedMs);
    if (abortFor !== undefined) {
      this.#controller?.abort(new Error(abortFor));
    }
  }

  /** Whether it has a connection to the instance. */
  get isConnected(): boolean {
    return this.#controller !== undefined;
  }

  readonly resume = (): void => {
    this.#isHeldBack = false;
    this.#expectMore();
    this.#controller?.resume();
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#isOver) {
      // To throw drops the request alone; to abort it would also end the connection, which others wait for, and the body, which another
      // attempt may have by now.
      throw new Error("no longer wanted");
    }
    this.#controller = controller;
  }

  /** While a body is on its way the instance has nothing to answer yet. */
  onBodySent(): void {
    this.deadlineMs = Math.max(this.deadlineMs, performance.now() + this.#upstream.policy.timeouts.perTryMs);
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    _status: number,
    _headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    this.latencyMs = this.elapsedMs;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#listener.onSwitch(this, rawHeadersOf(controller), socket);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    statusText = "",
  ): void {
    // 1xx: the answer is still to come.
    if (this.#isOver || status < 200) {
      return;
    }
    this.latencyMs = this.elapsedMs;
    const { idleMs } = this.#upstream.policy.timeouts;
    // A stream of events may be silent for as long as nothing happens.
    const isStream = headers["content-type"]?.startsWith("text/event-stream");
    this.deadlineMs = idleMs === 0 || isStream ? Number.POSITIVE_INFINITY : performance.now() + idleMs;
    this.#listener.onHead(this, status, statusText, rawHeadersOf(controller));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) {
      return;
    }
    this.#expectMore();
    if (!this.#listener.onData(this, chunk)) {
      this.#isHeldBack = true;
      controller.pause();
    }
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    if (!this.#isOver) {
      this.#listener.onTrailers(this, trailers);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#isOver) {
      this.#listener.onFailure(this, (error as NodeJS.ErrnoException).code ?? error.name);
    }
  }

  onDeadline(): void {
    this.#listener.onFailure(this, this.#isHeldBack ? slowCaller : "timeout");
  }

  #expectMore(): void {
    if (this.deadlineMs !== Number.POSITIVE_INFINITY) {
      this.deadlineMs = performance.now() + this.#upstream.policy.timeouts.idleMs;
    }
  }
}

function rawHeadersOf({ rawHeaders }: Dispatcher.DispatchController): readonly (Buffer | string)[] {
  return (rawHeaders ?? []) as readonly (Buffer | string)[];
}
