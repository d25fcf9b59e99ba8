/** Something that must be done by a time. */
export interface Timed {
  /** By the clock of `performance.now()`; may move. */
  deadlineMs: number;
  /** Its place among those that are watched; `-1` while it isn't. Only `Deadlines` writes it. */
  place: number;
  /** Called when the time has passed, until it is dropped or moved. */
  onDeadline(): void;
}

/** How late a deadline may be noticed, in milliseconds. */
const resolutionMs = 25;

/**
 * Watches many deadlines with one timer: a timer each would cost more than the requests that they watch. They are kept in an array, and know
 * their places in it: a `Set` makes itself a new table now and then, and each old one keeps what was in it from the
 * collector of young objects, which made up a third of a request's cost.
 */
export class Deadlines {
  readonly #timed: Timed[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(timed: Timed): void {
    timed.place = this.#timed.push(timed) - 1;
    this.#timer ??= setInterval(() => this.#sweep(), resolutionMs);
  }

  drop(timed: Timed): void {
    const { place } = timed;
    if (place < 0) {
      return;
    }
    timed.place = -1;
    const last = this.#timed.pop() as Timed;
    if (last !== timed) {
      this.#timed[place] = last;
      last.place = place;
    }
  }

  #sweep(): void {
    if (this.#timed.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const nowMs = performance.now();
    // Backwards: one that is dropped meanwhile gives its place to one that was looked at.
    for (let place = this.#timed.length - 1; place >= 0; place--) {
      const timed = this.#timed[place];
      if (timed && timed.deadlineMs <= nowMs) {
        timed.onDeadline();
      }
    }
  }
}
