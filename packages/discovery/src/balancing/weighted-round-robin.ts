import type { Balancer, Candidate, Random } from "./balancer.ts";
import { smoothSchedule } from "./smooth-schedule.ts";

/**
 * Each in turn as often as its weight says, spread evenly over the round. The round is made of all that are listed, and those
 * that can't be used are passed by: the others keep their shares among them.
 */
export function weightedRoundRobin<C extends Candidate>(random: Random): Balancer<C> {
  let all: readonly C[] = [];
  let schedule = new Uint32Array();
  let turn = 0;
  return {
    prepare(_usable, listed) {
      if (listed !== all) {
        all = listed;
        schedule = smoothSchedule(all.map(({ endpoint }) => endpoint.weight));
        turn = Math.floor(random() * schedule.length);
      }
    },
    pick(_key, avoid) {
      for (let step = 0; step < schedule.length; step++) {
        const candidate = all[schedule[turn] as number] as C;
        turn = turn + 1 === schedule.length ? 0 : turn + 1;
        if (candidate.index >= 0 && !avoid.includes(candidate)) {
          return candidate;
        }
      }
      return undefined;
    },
  };
}
