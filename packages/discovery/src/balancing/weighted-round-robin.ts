import type { Balancer, Candidate, Random } from "./balancer.ts";
import { smoothSchedule } from "./smooth-schedule.ts";

/** Each in turn as often as its weight says, spread evenly over the round. */
export function weightedRoundRobin<C extends Candidate>(random: Random): Balancer<C> {
  let list: readonly C[] = [];
  let schedule = new Uint32Array();
  let turn = 0;
  return {
    prepare(usable) {
      list = usable;
      schedule = smoothSchedule(list.map(({ endpoint }) => endpoint.weight));
      turn = Math.floor(random() * schedule.length);
    },
    pick(_key, avoid) {
      for (let step = 0; step < schedule.length; step++) {
        const candidate = list[schedule[turn] as number] as C;
        turn = turn + 1 === schedule.length ? 0 : turn + 1;
        if (!avoid.includes(candidate)) {
          return candidate;
        }
      }
      return undefined;
    },
  };
}
