/** Lets orders through one by one, as many as it is opened for. */
export class Gate {
  #places: number;
  #isClosed = false;
  readonly #waiting: Array<(isOpen: boolean) => void> = [];

  /** @param places how many may pass at once; more with {@link open} */
  constructor(places = 0) {
    this.#places = places;
  }

  /** Lets that many more through. */
  open(places: number): void {
    this.#places += places;
    while (this.#places > 0 && this.#waiting.length > 0) {
      this.#places -= 1;
      this.#waiting.shift()?.(true);
    }
  }

  /** Turns all away that wait, and later those for whom there is no place. */
  close(): void {
    this.#isClosed = true;
    for (const answer of this.#waiting.splice(0)) {
      answer(false);
    }
  }

  /** Resolves to true when there is a place, and to false when the gate is closed. */
  pass(): Promise<boolean> {
    if (this.#places > 0) {
      this.#places -= 1;
      return Promise.resolve(true);
    }
    if (this.#isClosed) {
      return Promise.resolve(false);
    }
    return new Promise((answer) => this.#waiting.push(answer));
  }
}
