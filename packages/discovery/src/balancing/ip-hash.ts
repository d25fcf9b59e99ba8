import { type Balancer, type Candidate, firstFrom, type Random } from "./balancer.ts";
import { hash32 } from "./hash.ts";
import { HashRing } from "./hash-ring.ts";

/**
 * The same one for the same caller. The ring is made of all that are listed, and those that can't be used are passed by on it:
 * only the callers of a lost one move, spread over the others, and they move back when it returns.
 */
export function ipHash<C extends Candidate>(random: Random): Balancer<C> {
  let list: readonly C[] = [];
  let all: readonly C[] = [];
  let ring = new HashRing([]);
  return {
    prepare(usable, listed) {
      list = usable;
      if (listed !== all) {
        all = listed;
        ring = new HashRing(all.map(({ endpoint }) => endpoint.id));
      }
    },
    pick(key, avoid) {
      if (key === undefined || list.length === 0) {
        return firstFrom(list, Math.floor(random() * list.length), avoid);
      }
      const { owners } = ring;
      let place = ring.placeOf(hash32(key));
      for (let step = 0; step < owners.length; step++) {
        const candidate = all[owners[place] as number] as C;
        if (candidate.index >= 0 && !avoid.includes(candidate)) {
          return candidate;
        }
        place = place + 1 === owners.length ? 0 : place + 1;
      }
      return undefined;
    },
  };
}
