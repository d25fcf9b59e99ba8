import { type Balancer, type Candidate, firstFrom, type Random } from "./balancer.ts";

/** Each in turn. The first is drawn, so that several callers of a service don't go around in step. */
export function roundRobin<C extends Candidate>(random: Random): Balancer<C> {
  let list: readonly C[] = [];
  let turn = 0;
  return {
    prepare(usable) {
      // Whose turn it is keeps it when others come and go.
      const next = list.findIndex((_, step) => (list[(turn + step) % list.length] as C).index >= 0);
      turn = next < 0 ? Math.floor(random() * usable.length) : (list[(turn + next) % list.length] as C).index;
      list = usable;
    },
    pick(_key, avoid) {
      const candidate = firstFrom(list, turn, avoid);
      if (candidate) {
        turn = (candidate.index + 1) % list.length;
      }
      return candidate;
    },
  };
}
