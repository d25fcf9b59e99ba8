const parts = 10;

/** How many there were in the last while, forgotten a tenth of it at a time. */
export class SlidingSum {
  readonly #partMs: number;
  readonly #counts = new Float64Array(parts);
  #part = Number.NEGATIVE_INFINITY;
  #sum = 0;

  constructor(windowMs: number) {
    this.#partMs = windowMs / parts;
  }

  add(nowMs: number): void {
    this.#forget(nowMs);
    this.#counts[this.#part % parts] = (this.#counts[this.#part % parts] as number) + 1;
    this.#sum += 1;
  }

  at(nowMs: number): number {
    this.#forget(nowMs);
    return this.#sum;
  }

  #forget(nowMs: number): void {
    const part = Math.floor(nowMs / this.#partMs);
    if (part - this.#part >= parts) {
      this.#counts.fill(0);
      this.#sum = 0;
      this.#part = part;
    }
    while (this.#part < part) {
      this.#part += 1;
      this.#sum -= this.#counts[this.#part % parts] as number;
      this.#counts[this.#part % parts] = 0;
    }
  }
}
