import type { Balancer } from "./balancing/balancer.ts";
import { createBalancer } from "./balancing/create-balancer.ts";
import { nextEstimate } from "./balancing/two-choices.ts";
import type { Endpoint } from "./endpoint.ts";
import type { UpstreamEvent } from "./events.ts";
import { CircuitBreaker } from "./health/circuit-breaker.ts";
import { OutlierDetector } from "./health/outlier-detector.ts";
import { Probes } from "./health/probes.ts";
import { RetryBudget } from "./health/retry-budget.ts";
import { acceptance } from "./health/slow-start.ts";
import { type Instance, InstanceRecord } from "./instance.ts";
import type { UpstreamPolicy } from "./policy.ts";
import { snapshotOf, type UpstreamSnapshot } from "./snapshot.ts";
import type { EndpointSource } from "./source.ts";

/** What a request on an instance came to; `cancelled` says nothing about the instance. */
export type Outcome = "success" | "failure" | "cancelled";

export interface UpstreamOptions {
  name: string;
  /** Closed with the upstream. */
  source: EndpointSource;
  policy: UpstreamPolicy;
  /** Told of each change of state; with the instance, where it is one's. */
  onEvent?(event: UpstreamEvent, instance?: Instance): void;
  /** Milliseconds that only go up. */
  clock?: () => number;
  /** From 0 to below 1. */
  random?: () => number;
}

/** How often the turn may be given to another instance, for one pick. */
const maxYields = 8;
const none: readonly InstanceRecord[] = [];

/**
 * The instances of a service: which may be used, and which is next. It sends nothing itself but probes: who calls the service
 * takes an instance with `pick` and says with `release` what the request came to.
 *
 * Time passes here only when it is asked something: an ejection that is over ends with the next `pick` or `snapshot`.
 */
export class Upstream {
  readonly name: string;
  readonly source: EndpointSource;
  readonly breaker: CircuitBreaker;
  readonly #options: UpstreamOptions;
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #unsubscribe: () => void;
  readonly #budget = new RetryBudget();
  readonly #detector: OutlierDetector<InstanceRecord>;
  /** Filled for one pick at a time. */
  readonly #avoid: InstanceRecord[] = [];
  #policy: UpstreamPolicy;
  #balancer: Balancer<InstanceRecord>;
  #probes: Probes<InstanceRecord> | undefined;
  #closedProbes = Promise.resolve();
  #isListKnown: boolean;
  #listed: readonly InstanceRecord[] = [];
  #usable: readonly InstanceRecord[] = [];
  #slow: InstanceRecord[] = [];
  #slowUntilMs = Number.POSITIVE_INFINITY;
  #isPanic = false;
  /** Whether the list that the balancer has is not the one that it should have. */
  #isOutdated = true;

  constructor(options: UpstreamOptions) {
    const { name, source, policy, clock = () => performance.now(), random = Math.random } = options;
    this.name = name;
    this.source = source;
    this.#options = options;
    this.#policy = policy;
    this.#clock = clock;
    this.#random = random;
    this.#detector = new OutlierDetector(policy.passiveHealth);
    this.#balancer = createBalancer(policy.balancing, random);
    this.breaker = new CircuitBreaker(clock, (state, why) =>
      this.#emit("breaker", undefined, { state, why }),
    );
    this.breaker.configure(policy.circuitBreaker);
    this.#startProbes();
    this.#isListKnown = source.status.isKnown;
    this.#list(source.endpoints, true);
    this.#unsubscribe = source.subscribe((endpoints) => {
      this.#list(endpoints, !this.#isListKnown);
      this.#isListKnown = true;
    });
  }

  get policy(): UpstreamPolicy {
    return this.#policy;
  }

  /** Takes another policy; what was counted stays. */
  configure(policy: UpstreamPolicy): void {
    const before = this.#policy;
    this.#policy = policy;
    if (policy.balancing !== before.balancing) {
      this.#balancer = createBalancer(policy.balancing, this.#random);
    }
    this.breaker.configure(policy.circuitBreaker);
    this.#detector.configure(policy.passiveHealth);
    const nowMs = this.#clock();
    this.#returned(this.#detector.list(this.#listed.length, nowMs), "more than may be ejected");
    this.#findSlowEnd();
    // At once: what ends until the next pick is counted by the new balancer.
    this.#isOutdated = true;
    this.#settle(nowMs);
    if (JSON.stringify(policy.activeProbe) !== JSON.stringify(before.activeProbe)) {
      this.#stopProbes();
      this.#startProbes();
    }
  }

  /**
   * Chooses an instance, and counts a request on it. A request that has been tried already goes to one that has not just failed,
   * if there is one: when several die at once, their first failures show it to all.
   *
   * @param key whose request it is, such as an address; only `ip-hash` asks for it
   * @param tried those that this request has been sent to
   * @returns `undefined` when there is no usable one beside `tried`
   */
  pick(key?: string, tried: readonly Instance[] = none): Instance | undefined {
    const nowMs = this.#clock();
    this.#settle(nowMs);
    let instance = this.#balancer.pick(key, tried as readonly InstanceRecord[], nowMs);
    if (instance === undefined) {
      return undefined;
    }
    const isRetry = tried.length > 0;
    if ((isRetry || this.#slow.length > 0) && this.#yields(instance, isRetry, nowMs)) {
      instance = this.#yielded(key, tried as readonly InstanceRecord[], instance, nowMs);
    }
    instance.active += 1;
    instance.total += 1;
    this.#balancer.began?.(instance);
    return instance;
  }

  /** Says what a request came to, exactly once for each instance from `pick`. */
  release(picked: Instance, outcome: Outcome, latencyMs: number): void {
    const instance = picked as InstanceRecord;
    instance.active -= 1;
    if (instance.index >= 0) {
      this.#balancer.ended?.(instance);
    }
    if (outcome === "cancelled") {
      return;
    }
    const isFailure = outcome === "failure";
    const nowMs = this.#clock();
    // A quick failure doesn't make an instance a quick one.
    const { estimateMs, estimatedAtMs } = instance;
    if (!isFailure || estimateMs > 0) {
      const countedMs = isFailure ? Math.max(latencyMs, estimateMs) : latencyMs;
      instance.estimateMs = nextEstimate(estimateMs, estimatedAtMs, countedMs, nowMs);
      instance.estimatedAtMs = nowMs;
    }
    if (isFailure) {
      instance.failures += 1;
    }
    if (instance.isListed && this.#detector.note(instance, isFailure, nowMs - latencyMs, nowMs)) {
      this.#ejected(instance, nowMs);
    }
  }

  /** Notes a request, not its retries: the budget of retries grows with them. */
  noteRequest(): void {
    this.#budget.noteRequest(this.#clock());
  }

  /** Takes a retry from the budget; `false` when it is spent. */
  mayRetry(): boolean {
    const { budgetShare, budgetPerSecond } = this.#policy.retries;
    return this.#budget.take(budgetShare, budgetPerSecond, this.#clock());
  }

  /** All there is to know now, as plain JSON. */
  snapshot(): UpstreamSnapshot {
    const nowMs = this.#clock();
    this.#settle(nowMs);
    const { budgetShare, budgetPerSecond } = this.#policy.retries;
    return snapshotOf({
      name: this.name,
      policy: this.#policy,
      source: this.source.status,
      breaker: this.breaker.state,
      isPanic: this.#isPanic,
      retriesLeft: this.#budget.left(budgetShare, budgetPerSecond, nowMs),
      instances: this.#listed,
      nowMs,
    });
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#stopProbes();
    await this.#closedProbes;
    await this.source.close();
  }

  /** Takes the registry's list: who is known stays, with its counters. */
  #list(endpoints: readonly Endpoint[], isFirst: boolean): void {
    const nowMs = this.#clock();
    const before = new Map(this.#listed.map((instance) => [instance.endpoint.id, instance]));
    const added: InstanceRecord[] = [];
    this.#listed = endpoints.map((endpoint) => {
      const known = before.get(endpoint.id);
      if (known?.endpoint.origin === endpoint.origin) {
        before.delete(endpoint.id);
        known.endpoint = endpoint;
        return known;
      }
      const instance = new InstanceRecord(endpoint);
      added.push(instance);
      return instance;
    });
    for (const instance of before.values()) {
      this.#drop(instance);
    }
    for (const instance of added) {
      this.#add(instance, isFirst, nowMs);
    }
    this.#returned(this.#detector.list(this.#listed.length, nowMs), "more than may be ejected");
    this.#isOutdated = true;
  }

  #add(instance: InstanceRecord, isFirst: boolean, nowMs: number): void {
    instance.why = "listed by the registry";
    if (!isFirst) {
      this.#startSlowly(instance, nowMs);
    }
    this.#probes?.add(instance, instance.endpoint);
    this.#emit("listed", instance, { origin: instance.endpoint.origin });
  }

  #drop(instance: InstanceRecord): void {
    instance.isListed = false;
    instance.why = "dropped by the registry";
    this.#probes?.remove(instance);
    this.#detector.forget(instance);
    this.#endSlowStart(instance);
    this.#emit("dropped", instance, { origin: instance.endpoint.origin, active: instance.active });
  }

  #ejected(instance: InstanceRecord, nowMs: number): void {
    const { failuresInARow, ejectionsInARow, ejectedUntilMs } = instance;
    const forMs = Math.round(ejectedUntilMs - nowMs);
    instance.why = `failures in a row: ${failuresInARow}`;
    this.#endSlowStart(instance);
    this.#isOutdated = true;
    this.#emit("ejected", instance, { why: instance.why, forMs, ejectionsInARow });
  }

  #returned(instances: readonly InstanceRecord[], why: string): void {
    for (const instance of instances) {
      instance.why = why;
      this.#startSlowly(instance, instance.returnedAtMs);
      this.#isOutdated = true;
      this.#emit("returned", instance, { why });
    }
  }

  #startSlowly(instance: InstanceRecord, nowMs: number): void {
    if (this.#policy.slowStartMs > 0 && instance.isUsable) {
      if (instance.slowSinceMs === Number.POSITIVE_INFINITY) {
        this.#slow.push(instance);
      }
      instance.slowSinceMs = nowMs;
      this.#findSlowEnd();
    }
  }

  #endSlowStart(...instances: readonly InstanceRecord[]): void {
    for (const instance of instances) {
      instance.slowSinceMs = Number.POSITIVE_INFINITY;
    }
    this.#slow = this.#slow.filter(({ slowSinceMs }) => slowSinceMs !== Number.POSITIVE_INFINITY);
    this.#findSlowEnd();
  }

  #findSlowEnd(): void {
    this.#slowUntilMs =
      this.#policy.slowStartMs +
      this.#slow.reduce((first, { slowSinceMs }) => Math.min(first, slowSinceMs), Number.POSITIVE_INFINITY);
  }

  /** Does what time has brought, and gives the balancer its list. */
  #settle(nowMs: number): void {
    if (nowMs >= this.#detector.nextReturnMs) {
      this.#returned(this.#detector.returnDue(nowMs), "the ejection is over");
    }
    if (nowMs >= this.#slowUntilMs) {
      const since = nowMs - this.#policy.slowStartMs;
      const over = this.#slow.filter(({ slowSinceMs }) => slowSinceMs <= since);
      this.#endSlowStart(...over);
      for (const instance of over) {
        this.#emit("slow-start-over", instance);
      }
    }
    if (this.#isOutdated) {
      this.#isOutdated = false;
      this.#prepare();
    }
  }

  #prepare(): void {
    for (const instance of this.#usable) {
      instance.index = -1;
    }
    const usable = this.#listed.filter(({ isUsable }) => isUsable);
    const isPanic = usable.length < this.#policy.passiveHealth.panicShare * this.#listed.length;
    this.#usable = isPanic ? this.#listed : usable;
    for (const [index, instance] of this.#usable.entries()) {
      instance.index = index;
    }
    this.#balancer.prepare(this.#usable, this.#listed);
    if (isPanic !== this.#isPanic) {
      this.#isPanic = isPanic;
      const why = `usable instances: ${usable.length} of ${this.#listed.length}`;
      this.#emit(isPanic ? "panic" : "panic-over", undefined, { why });
    }
  }

  /** Whether an instance gives its turn to another one: for a retry when it has just failed, or in slow start unless all are. */
  #yields(instance: InstanceRecord, isRetry: boolean, nowMs: number): boolean {
    if (isRetry && instance.failuresInARow > 0) {
      return true;
    }
    return (
      instance.slowSinceMs !== Number.POSITIVE_INFINITY &&
      this.#slow.length < this.#usable.length &&
      this.#random() >= acceptance(instance.slowSinceMs, nowMs, this.#policy.slowStartMs)
    );
  }

  /** Another one in the place of one that has given its turn away; itself where there is none. */
  #yielded(
    key: string | undefined,
    tried: readonly InstanceRecord[],
    first: InstanceRecord,
    nowMs: number,
  ): InstanceRecord {
    const avoid = this.#avoid;
    avoid.push(...tried, first);
    let chosen = first;
    for (let yields = 1; yields <= maxYields; yields++) {
      const other = this.#balancer.pick(key, avoid, nowMs);
      chosen = other ?? chosen;
      if (!other || !this.#yields(other, tried.length > 0, nowMs)) {
        break;
      }
      avoid.push(other);
    }
    avoid.length = 0;
    return chosen;
  }

  #startProbes(): void {
    const { activeProbe } = this.#policy;
    if (activeProbe) {
      this.#probes = new Probes(activeProbe, (instance, problem) => this.#probed(instance, problem));
      for (const instance of this.#listed) {
        this.#probes.add(instance, instance.endpoint);
      }
    }
  }

  /** Who was taken out by the probes comes back: nobody looks any more. */
  #stopProbes(): void {
    const probes = this.#probes;
    if (!probes) {
      return;
    }
    this.#probes = undefined;
    this.#closedProbes = Promise.all([this.#closedProbes, probes.close()]).then(() => undefined);
    for (const instance of this.#listed) {
      instance.contraryProbes = 0;
      if (instance.isUnhealthy) {
        this.#recovered(instance, "probes are off");
      }
    }
  }

  #probed(instance: InstanceRecord, problem: string | undefined): void {
    const { activeProbe } = this.#policy;
    if (!activeProbe || (problem !== undefined) === instance.isUnhealthy) {
      instance.contraryProbes = 0;
      return;
    }
    instance.contraryProbes += 1;
    if (problem === undefined) {
      if (instance.contraryProbes >= activeProbe.healthyAfter) {
        this.#recovered(instance, `${activeProbe.path} answers again`);
      }
    } else if (instance.contraryProbes >= activeProbe.unhealthyAfter) {
      instance.contraryProbes = 0;
      instance.isUnhealthy = true;
      instance.why = problem;
      this.#endSlowStart(instance);
      this.#isOutdated = true;
      this.#emit("unhealthy", instance, { why: problem });
    }
  }

  #recovered(instance: InstanceRecord, why: string): void {
    instance.contraryProbes = 0;
    instance.isUnhealthy = false;
    instance.why = why;
    const nowMs = this.#clock();
    this.#startSlowly(instance, nowMs);
    this.#isOutdated = true;
    this.#emit("healthy", instance, { why });
    // What failed with it, such as its database, is back as well.
    this.#returned(this.#detector.pardon(instance, nowMs), why);
  }

  #emit(kind: UpstreamEvent["kind"], instance?: InstanceRecord, details?: Record<string, unknown>): void {
    this.#options.onEvent?.(
      { upstream: this.name, kind, ...(instance && { endpoint: instance.endpoint.id }), ...details },
      instance,
    );
  }
}
