import { SlidingSum } from "./sliding-sum.ts";

const windowMs = 10_000;

/**
 * Bounds the retries of all requests together, so that they don't add to the load when much of it fails: as many as a share of
 * the requests of the last 10 s, and some a second for those who ask rarely
 * (https://finagle.github.io/blog/2016/02/08/retry-budgets/).
 */
export class RetryBudget {
  readonly #requests = new SlidingSum(windowMs);
  readonly #retries = new SlidingSum(windowMs);

  noteRequest(nowMs: number): void {
    this.#requests.add(nowMs);
  }

  /** How many retries are left. */
  left(share: number, perSecond: number, nowMs: number): number {
    const earned = share * this.#requests.at(nowMs) + (perSecond * windowMs) / 1000;
    return Math.max(0, Math.floor(earned - this.#retries.at(nowMs)));
  }

  /** Takes one; `false` when none is left. */
  take(share: number, perSecond: number, nowMs: number): boolean {
    const isLeft = this.left(share, perSecond, nowMs) > 0;
    if (isLeft) {
      this.#retries.add(nowMs);
    }
    return isLeft;
  }
}
