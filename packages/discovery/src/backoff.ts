/**
 * Pauses before tries again: each up to twice as long as the last, drawn from its upper half, so that not all who wait for the
 * same come back in the same moment.
 */
export class Backoff {
  readonly #firstMs: number;
  readonly #lastMs: number;
  #nextMs: number;

  constructor(firstMs: number, lastMs: number) {
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
    this.#nextMs = firstMs;
  }

  next(): number {
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(pauseMs * 2, this.#lastMs);
    return pauseMs * (0.5 + Math.random() / 2);
  }

  /** A try has succeeded. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}
