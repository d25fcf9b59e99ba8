import { type Balancer, type Candidate, firstFrom, type Random } from "./balancer.ts";

/** Any, each as likely as the others. */
export function uniform<C extends Candidate>(random: Random): Balancer<C> {
  let list: readonly C[] = [];
  return {
    prepare(usable) {
      list = usable;
    },
    pick: (_key, avoid) => firstFrom(list, Math.floor(random() * list.length), avoid),
  };
}
