/** Numbers that were passed over, both ends included. */
interface Gap {
  from: number;
  to: number;
  /** When they were first missed. */
  sinceMs: number;
}

/**
 * How far a relay has read the outbox. Rows get their numbers when they are written and appear when they are committed, so a
 * number that was passed over may still come. It is waited for: were it not, a later event of its key could be read first.
 * A transaction that was undone leaves such a gap for ever; so a gap is given up after a while.
 */
export class OutboxCursor {
  readonly #patienceMs: number;
  #gaps: Gap[] = [];
  #last = 0;

  /** @param patienceMs longer than a transaction takes from writing its events to its commit */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** The number after which there may be rows that were not read. */
  after(nowMs: number): number {
    this.#gaps = this.#gaps.filter(({ sinceMs }) => nowMs - sinceMs <= this.#patienceMs);
    return (this.#gaps[0]?.from ?? this.#last + 1) - 1;
  }

  /** Notes the numbers of the rows that were read, in their order. */
  read(ids: readonly number[], nowMs: number): void {
    for (const id of ids) {
      if (id <= this.#last) {
        this.#gaps = this.#gaps.flatMap((gap) => without(gap, id));
      } else {
        if (id > this.#last + 1) {
          this.#gaps.push({ from: this.#last + 1, to: id - 1, sinceMs: nowMs });
        }
        this.#last = id;
      }
    }
  }
}

/** What is left of a gap around a number. */
function without(gap: Gap, id: number): Gap[] {
  if (id < gap.from || id > gap.to) {
    return [gap];
  }
  return [
    { ...gap, to: id - 1 },
    { ...gap, from: id + 1 },
  ].filter(({ from, to }) => from <= to);
}
