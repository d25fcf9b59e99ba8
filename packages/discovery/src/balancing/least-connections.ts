import { type Balancer, type Candidate, firstFrom, type Random } from "./balancer.ts";

/**
 * The one on which the fewest requests run, drawn among equals. The list is kept sorted by `active`, with the end of each run of
 * equal counts: one more or one less request moves a candidate across the end of its run, which is one exchange of two places.
 */
export function leastConnections<C extends Candidate>(random: Random): Balancer<C> {
  /** Sorted by `active`. */
  let order: C[] = [];
  /** The place in `order` of each index. */
  let places = new Uint32Array();
  /** `ends[a]`: how many have at most `a` requests; beyond its end, all. */
  let ends: number[] = [];

  function exchange(candidate: C, place: number): void {
    const other = order[place] as C;
    const from = places[candidate.index] as number;
    order[from] = other;
    places[other.index] = from;
    order[place] = candidate;
    places[candidate.index] = place;
  }

  return {
    prepare(usable) {
      order = usable.toSorted((one, other) => one.active - other.active);
      places = new Uint32Array(order.length);
      ends = [];
      for (const [place, { index, active }] of order.entries()) {
        places[index] = place;
        while (ends.length < active) {
          ends.push(place);
        }
        ends[active] = place + 1;
      }
    },
    pick(_key, avoid) {
      const fewest = order[0];
      if (!fewest) {
        return undefined;
      }
      const place = Math.floor(random() * (ends[fewest.active] as number));
      const candidate = order[place] as C;
      return avoid.includes(candidate) ? firstFrom(order, 0, avoid) : candidate;
    },
    began(candidate) {
      const before = candidate.active - 1;
      const last = (ends[before] as number) - 1;
      exchange(candidate, last);
      ends[before] = last;
      if (candidate.active === ends.length) {
        ends.push(order.length);
      }
    },
    ended(candidate) {
      const first = ends[candidate.active] as number;
      exchange(candidate, first);
      ends[candidate.active] = first + 1;
    },
  };
}
