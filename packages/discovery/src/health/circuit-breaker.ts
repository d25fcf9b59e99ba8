import type { CircuitBreakerSettings } from "../policy.ts";
import { SlidingSum } from "./sliding-sum.ts";

export type BreakerState = "closed" | "open" | "half-open";

/**
 * Lets a service alone when much of what is asked of it fails. Open, it allows nothing for a while; then one request may try
 * (half-open), whose outcome closes or opens it again.
 */
export class CircuitBreaker {
  readonly #clock: () => number;
  readonly #onChange: (state: BreakerState, why: string) => void;
  #settings: CircuitBreakerSettings | null = null;
  #requests = new SlidingSum(1);
  #failures = new SlidingSum(1);
  #state: BreakerState = "closed";
  /** When it opened, or when the request was let through that tries. */
  #sinceMs = 0;
  #openedMs = Number.NEGATIVE_INFINITY;

  /** Closed, and stays so until it is configured. */
  constructor(clock: () => number, onChange: (state: BreakerState, why: string) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Takes other settings; without any it is closed. What was counted stays unless the window is another. */
  configure(settings: CircuitBreakerSettings | null): void {
    if (settings?.windowMs !== this.#settings?.windowMs) {
      this.#forget(settings);
    }
    this.#settings = settings;
    if (!settings) {
      this.#change("closed", "there is no breaker any more");
    }
  }

  /** Whether a request may be sent. It is the one that tries when this makes the breaker half-open. */
  allows(): boolean {
    if (this.#state === "closed" || !this.#settings) {
      return true;
    }
    const nowMs = this.#clock();
    // A request that tries and never ends, since its caller went away, makes room for another one.
    if (nowMs - this.#sinceMs < this.#settings.halfOpenAfterMs) {
      return false;
    }
    this.#sinceMs = nowMs;
    this.#change("half-open", "a request may try");
    return true;
  }

  /**
   * Notes what a request came to in the end. What began before the breaker opened says nothing of how the service is now.
   *
   * @param startedMs when it began, by the breaker's clock
   */
  record(isFailure: boolean, startedMs = Number.POSITIVE_INFINITY): void {
    const settings = this.#settings;
    if (!settings || this.#state === "open" || startedMs <= this.#openedMs) {
      return;
    }
    const nowMs = this.#clock();
    if (this.#state === "half-open") {
      this.#try(isFailure, nowMs);
      return;
    }
    this.#requests.add(nowMs);
    if (!isFailure) {
      return;
    }
    this.#failures.add(nowMs);
    const requests = this.#requests.at(nowMs);
    const failures = this.#failures.at(nowMs);
    const { failureShare, windowMs, minPerSecond } = settings;
    if (requests >= (minPerSecond * windowMs) / 1000 && failures >= failureShare * requests) {
      this.#open(nowMs, `${failures} of ${requests} requests failed`);
    }
  }

  #try(isFailure: boolean, nowMs: number): void {
    if (isFailure) {
      this.#open(nowMs, "the request that tried failed");
    } else {
      this.#forget(this.#settings);
      this.#change("closed", "the request that tried succeeded");
    }
  }

  #open(nowMs: number, why: string): void {
    this.#sinceMs = nowMs;
    this.#openedMs = nowMs;
    this.#change("open", why);
  }

  #forget(settings: CircuitBreakerSettings | null): void {
    this.#requests = new SlidingSum(settings?.windowMs ?? 1);
    this.#failures = new SlidingSum(settings?.windowMs ?? 1);
  }

  #change(state: BreakerState, why: string): void {
    if (state !== this.#state) {
      this.#state = state;
      this.#onChange(state, why);
    }
  }
}
