import { hash32, stir } from "./hash.ts";

/** With so many, the largest share of ten is 16 % above the mean one (the median of many lists; a third at worst). */
const pointsEach = 100;
/** A place and its owner share the 53 bits of a number, which sorts faster than objects. */
const maxOwners = 2 ** 20;

/**
 * Consistent hashing (Karger et al. 1997): each owner has a number of places on a ring of 2³² that depend on its name only, and a
 * key belongs to the owner of the first place from its own on.
 */
export class HashRing {
  /** Whose each place is, as an index of the names, in the order of the ring. */
  readonly owners: Uint32Array;
  readonly #points: Uint32Array;
  /** The first place of each of as many equal parts of the ring as there are places or more: a search has no more than a few steps. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  constructor(names: readonly string[]) {
    const sorted = new Float64Array(names.length * pointsEach);
    for (const [owner, name] of names.entries()) {
      const start = hash32(name);
      const step = hash32(name, 1) | 1;
      for (let point = 0; point < pointsEach; point++) {
        sorted[owner * pointsEach + point] = stir(start + Math.imul(point, step)) * maxOwners + owner;
      }
    }
    sorted.sort();
    this.owners = Uint32Array.from(sorted, (packed) => packed % maxOwners);
    this.#points = Uint32Array.from(sorted, (packed) => packed / maxOwners);
    const bits = Math.max(1, Math.ceil(Math.log2(sorted.length + 1)));
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits);
    let place = 0;
    for (let part = 0; part < this.#starts.length; part++) {
      while (place < this.#points.length && (this.#points[place] as number) >>> this.#shift < part) {
        place += 1;
      }
      this.#starts[part] = place;
    }
  }

  /** The place that a hash belongs to; 0 on an empty ring. */
  placeOf(hash: number): number {
    const points = this.#points;
    let place = this.#starts[hash >>> this.#shift] as number;
    while (place < points.length && (points[place] as number) < hash) {
      place += 1;
    }
    return place === points.length ? 0 : place;
  }
}
