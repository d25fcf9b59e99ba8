import { type BalancingName, balancingNames, upstreamPolicySchema } from "./policy.ts";
import { ListSource } from "./source.ts";
import { endpoints } from "./testing/endpoints.ts";
import { Upstream } from "./upstream.ts";

/** What one pick and its release take, for each policy and number of endpoints, in nanoseconds. */
export type PickCosts = Record<BalancingName, Record<number, number>>;

/** Requests that run at a time, so that the counts of connections differ. */
const running = 64;
const warmUpPicks = 50_000;
const roundPicks = 100_000;
const rounds = 5;

/**
 * Measures picks and releases of an upstream with all its counting, among so many endpoints, in time of the processor: the
 * quickest of five rounds, since what else the machine does only adds. Callers come from 1,000 addresses, and one endpoint in four
 * has the weight 3.
 */
export function measurePicks(sizes: readonly number[]): PickCosts {
  return Object.fromEntries(
    balancingNames.map((name) => [
      name,
      Object.fromEntries(sizes.map((size) => [size, pickCost(name, size)])),
    ]),
  ) as PickCosts;
}

function pickCost(balancing: BalancingName, size: number): number {
  const upstream = new Upstream({
    name: "bench",
    source: new ListSource(endpoints(size, (index) => (index % 4 === 0 ? 3 : 1))),
    policy: upstreamPolicySchema.parse({ balancing, activeProbe: null }),
  });
  const load = new Load(upstream);
  load.run(warmUpPicks);
  const costs = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    load.run(roundPicks);
    return (process.cpuUsage(before).user * 1000) / roundPicks;
  });
  return Math.round(Math.min(...costs));
}

/** Requests of which each ends when as many others have begun. */
class Load {
  readonly #upstream: Upstream;
  readonly #keys = Array.from({ length: 1000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  readonly #running: ReturnType<Upstream["pick"]>[] = Array(running).fill(undefined);

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  run(picks: number): void {
    for (let pick = 0; pick < picks; pick++) {
      const place = pick % running;
      const ending = this.#running[place];
      if (ending) {
        this.#upstream.release(ending, "success", 1 + (pick % 7));
      }
      this.#running[place] = this.#upstream.pick(this.#keys[pick % 1000]);
    }
  }
}
