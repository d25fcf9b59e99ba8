/** Something that must be done by a time. */
export interface Timed {
  /** By the clock of `performance.now()`; may move. */
  deadlineMs: number;
  /** Called when it has passed, until it is dropped or moved. */
  onDeadline(): void;
}

/** How late a deadline may be noticed, in milliseconds. */
const resolutionMs = 25;

/** Watches many deadlines with one timer: a timer each would cost more than the requests that they watch. */
export class Deadlines {
  readonly #timed = new Set<Timed>();
  #timer: NodeJS.Timeout | undefined;

  add(timed: Timed): void {
    this.#timed.add(timed);
    this.#timer ??= setInterval(() => this.#sweep(), resolutionMs);
  }

  drop(timed: Timed): void {
    this.#timed.delete(timed);
  }

  #sweep(): void {
    if (this.#timed.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const nowMs = performance.now();
    for (const timed of this.#timed) {
      if (timed.deadlineMs <= nowMs) {
        timed.onDeadline();
      }
    }
  }
}
