import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { seededRandom } from "../../../cli/seed/random.ts";
import type { Endpoint } from "./endpoint.ts";
import type { UpstreamEvent } from "./events.ts";
import type { Instance } from "./instance.ts";
import { balancingNames, type UpstreamPolicy, upstreamPolicySchema } from "./policy.ts";
import { ListSource, WatchedList } from "./source.ts";
import { endpoints } from "./testing/endpoints.ts";
import { type Outcome, Upstream } from "./upstream.ts";

const quiet = { activeProbe: null, slowStartMs: 0 };

let nowMs: number;
let events: UpstreamEvent[];

beforeEach(() => {
  nowMs = 0;
  events = [];
});

function upstreamOf(count: number, policy: object = {}): { upstream: Upstream; source: ListSource } {
  const source = new ListSource(endpoints(count));
  const upstream = new Upstream({
    name: "shelf",
    source,
    policy: upstreamPolicySchema.parse({ ...quiet, ...policy }),
    onEvent: (event) => events.push(event),
    clock: () => nowMs,
    random: seededRandom(1),
  });
  events.length = 0;
  return { upstream, source };
}

/** Sends requests one after the other, each instance failing or not as `fails` says. */
function send(upstream: Upstream, count: number, fails: (id: string) => boolean): string[] {
  return Array.from({ length: count }, () => {
    const instance = upstream.pick() as Instance;
    const { id } = instance.endpoint;
    upstream.release(instance, fails(id) ? "failure" : "success", 0);
    return id;
  });
}

const kinds = () => events.map(({ kind, endpoint }) => (endpoint ? `${kind} ${endpoint}` : kind));

test("an instance that fails three times in a row is left out, and comes back after the time it was ejected for", () => {
  const { upstream } = upstreamOf(3);
  send(upstream, 9, (id) => id === "i1");
  expect(kinds()).toEqual(["ejected i1"]);
  expect(events[0]).toMatchObject({ upstream: "shelf", why: "failures in a row: 3", forMs: 5000 });
  expect(send(upstream, 6, () => false)).not.toContain("i1");
  nowMs = 4999;
  expect(send(upstream, 6, () => false)).not.toContain("i1");
  nowMs = 5000;
  expect(send(upstream, 6, () => false)).toContain("i1");
  expect(kinds()).toEqual(["ejected i1", "returned i1"]);
});

test("once back, one failure ejects it again, for twice as long", () => {
  const { upstream } = upstreamOf(3);
  send(upstream, 9, (id) => id === "i1");
  nowMs = 5000;
  send(upstream, 3, (id) => id === "i1");
  expect(events.at(-1)).toMatchObject({ kind: "ejected", endpoint: "i1", forMs: 10_000 });
});

test("a failure of a request that was sent before the ejection doesn't eject an instance that is back", () => {
  const { upstream } = upstreamOf(2);
  const [first, other] = [upstream.pick() as Instance, upstream.pick() as Instance];
  upstream.release(other, "success", 0);
  send(upstream, 6, (id) => id === first.endpoint.id);
  nowMs = 5000;
  send(upstream, 1, () => false);
  upstream.release(first, "failure", 5000);
  expect(first.state).toBe("healthy");
});

test("with default settings five dead ones of ten cost fifteen failures, and the others serve everything from then on", () => {
  const { upstream } = upstreamOf(10);
  let failures = 0;
  send(upstream, 1000, (id) => {
    const isDead = Number(id.slice(1)) % 2 === 0;
    failures += isDead ? 1 : 0;
    return isDead;
  });
  expect(failures).toBe(15);
  expect(kinds().sort()).toEqual(["i0", "i2", "i4", "i6", "i8"].map((id) => `ejected ${id}`));
});

test("below the panic share all are used, and it is said when that begins and ends", () => {
  const { upstream } = upstreamOf(10, { passiveHealth: { maxEjectedShare: 1 } });
  send(upstream, 40, (id) => id >= "i2");
  expect(kinds().filter((kind) => kind.startsWith("panic"))).toEqual(["panic"]);
  expect(events.find(({ kind }) => kind === "panic")).toMatchObject({ why: "usable instances: 2 of 10" });
  expect(new Set(send(upstream, 10, () => false)).size).toBe(10);
  expect(upstream.snapshot().isPanic).toBe(true);
  nowMs = 5000;
  send(upstream, 1, () => false);
  expect(kinds().at(-1)).toBe("panic-over");
});

test("who is dropped gets no more requests, and what runs on it ends as it would", () => {
  const { upstream, source } = upstreamOf(2, { balancing: "least-connections" });
  const [one, other] = [upstream.pick() as Instance, upstream.pick() as Instance];
  source.replace(source.endpoints.filter(({ id }) => id === other.endpoint.id));
  expect(kinds()).toEqual([`dropped ${one.endpoint.id}`]);
  expect(one.isListed).toBe(false);
  for (let request = 0; request < 3; request++) {
    expect(upstream.pick()).toBe(other);
  }
  upstream.release(one, "failure", 10);
  expect(one.active).toBe(0);
  expect(upstream.snapshot().instances).toMatchObject([{ id: other.endpoint.id, active: 4 }]);
});

test("an instance whose place in the registry changes keeps its counters, unless its address is another", () => {
  const { upstream, source } = upstreamOf(2);
  send(upstream, 4, () => false);
  source.replace(endpoints(2, () => 3));
  expect(upstream.snapshot().instances).toMatchObject([
    { total: 2, weight: 3 },
    { total: 2, weight: 3 },
  ]);
  source.replace(source.endpoints.map((endpoint) => ({ ...endpoint, origin: "http://127.0.0.1:1" })));
  expect(upstream.snapshot().instances).toMatchObject([{ total: 0 }, { total: 0 }]);
});

test("a new instance starts with few requests, and has its share after the slow start", () => {
  const { upstream, source } = upstreamOf(9, { slowStartMs: 1000 });
  source.replace(endpoints(10));
  const share = () => send(upstream, 5000, () => false).filter((id) => id === "i9").length / 5000;
  expect(upstream.snapshot().instances.at(-1)?.state).toBe("slow-start");
  expect(share()).toBeLessThan(0.02);
  nowMs = 500;
  expect(share()).toBeGreaterThan(0.04);
  expect(share()).toBeLessThan(0.07);
  nowMs = 1000;
  expect(share()).toBeCloseTo(0.1);
  expect(kinds()).toEqual(["listed i9", "slow-start-over i9"]);
});

/** A registry that has not answered yet. */
class LateSource extends WatchedList {
  override replace(all: readonly Endpoint[]): boolean {
    return super.replace(all);
  }
}

test("the first known list starts at once, also when the registry answers late", () => {
  const source = new LateSource();
  const upstream = new Upstream({
    name: "shelf",
    source,
    policy: upstreamPolicySchema.parse({ activeProbe: null }),
  });
  expect(upstream.pick()).toBeUndefined();
  source.replace(endpoints(2));
  expect(upstream.pick()?.state).toBe("healthy");
  source.replace(endpoints(3));
  expect(upstream.snapshot().instances.at(-1)?.state).toBe("slow-start");
});

test.each(balancingNames)("%s never gives one that was tried, and nothing when all were", (balancing) => {
  const { upstream } = upstreamOf(5, { balancing, slowStartMs: 1000 });
  for (const key of [undefined, "10.0.0.1"]) {
    const tried: Instance[] = [];
    for (let request = 0; request < 5; request++) {
      const instance = upstream.pick(key, tried) as Instance;
      expect(tried).not.toContain(instance);
      tried.push(instance);
    }
    expect(upstream.pick(key, tried)).toBeUndefined();
  }
});

test("a retry goes to one that has not just failed, while there is one", () => {
  const { upstream } = upstreamOf(5);
  const order = send(upstream, 5, () => false);
  send(upstream, 5, (id) => id !== order[3]);
  const first = upstream.pick() as Instance;
  expect(first.endpoint.id).toBe(order[0]);
  const second = upstream.pick(undefined, [first]) as Instance;
  expect(second.endpoint.id).toBe(order[3]);
  expect(upstream.pick(undefined, [first, second])).toBeDefined();
});

test("quick failures don't draw the adaptive policy", () => {
  const { upstream } = upstreamOf(10, {
    balancing: "adaptive",
    passiveHealth: { consecutiveFailures: 1000 },
  });
  const ids = Array.from({ length: 2000 }, () => {
    nowMs += 1;
    const instance = upstream.pick() as Instance;
    const isBad = instance.endpoint.id === "i3";
    upstream.release(instance, isBad ? "failure" : "success", isBad ? 0.1 : 10);
    return instance.endpoint.id;
  });
  expect(ids.filter((id) => id === "i3").length / ids.length).toBeLessThan(0.15);
});

test("the policy changes at run time, and what was counted stays", () => {
  const { upstream } = upstreamOf(3);
  const running = upstream.pick() as Instance;
  send(upstream, 9, (id) => id === "i1");
  upstream.configure(upstreamPolicySchema.parse({ ...quiet, balancing: "least-connections" }));
  upstream.release(running, "success", 1);
  expect(upstream.policy.balancing).toBe("least-connections");
  expect(send(upstream, 4, () => false)).not.toContain("i1");
  expect(upstream.snapshot().instances.find(({ id }) => id === "i1")).toMatchObject({
    state: "ejected",
    failures: 3,
  });
  upstream.configure(upstreamPolicySchema.parse({ ...quiet, passiveHealth: { maxEjectedShare: 0 } }));
  expect(events.at(-1)).toMatchObject({ kind: "returned", endpoint: "i1" });
});

test("a snapshot is plain JSON that says why", () => {
  const { upstream } = upstreamOf(2);
  send(upstream, 6, (id) => id === "i1");
  const snapshot = upstream.snapshot();
  expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  expect(snapshot).toMatchObject({
    name: "shelf",
    breaker: "closed",
    isPanic: false,
    source: { isKnown: true, isCurrent: true },
    policy: { balancing: "round-robin" },
    retriesLeft: 100,
  });
  expect(snapshot.instances[1]).toMatchObject({
    id: "i1",
    state: "ejected",
    why: "failures in a row: 3",
    ejectedUntil: expect.stringMatching(/Z$/),
    active: 0,
    total: 3,
    failures: 3,
    ejections: 1,
  });
});

/** What can happen to an upstream. */
const steps = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ kind: fc.constant("pick"), key: fc.option(fc.string(), { nil: undefined }) }),
    },
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant("release"),
        which: fc.nat(),
        outcome: fc.constantFrom<Outcome>("success", "failure", "failure", "failure", "cancelled"),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.nat(8000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("list"), which: fc.uniqueArray(fc.nat(11)) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("configure"), balancing: fc.constantFrom(...balancingNames) }),
    },
  ),
  { minLength: 50, maxLength: 400 },
);

test("whatever happens: nothing unusable is picked outside of a panic, no more than the share is ejected, counts are right", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...balancingNames),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(),
      steps,
      (balancing, maxEjectedShare, seed, all) => {
        nowMs = 0;
        const everyone = endpoints(12, (index) => (index % 3) + 1);
        const source = new ListSource(everyone.slice(0, 8));
        const policy: UpstreamPolicy = upstreamPolicySchema.parse({
          activeProbe: null,
          slowStartMs: 2000,
          balancing,
          passiveHealth: { maxEjectedShare },
        });
        const upstream = new Upstream({
          name: "u",
          source,
          policy,
          clock: () => nowMs,
          random: seededRandom(seed),
        });
        const running: Instance[] = [];
        for (const step of all) {
          if ("ms" in step) {
            nowMs += step.ms;
          } else if ("key" in step) {
            const instance = upstream.pick(step.key);
            expect(instance === undefined).toBe(source.endpoints.length === 0);
            if (instance) {
              expect(instance.isListed).toBe(true);
              expect(instance.state !== "ejected" || upstream.snapshot().isPanic).toBe(true);
              running.push(instance);
            }
          } else if ("outcome" in step && running.length > 0) {
            const [instance] = running.splice(step.which % running.length, 1);
            upstream.release(instance as Instance, step.outcome, 5);
          } else if (step.kind === "list" && "which" in step) {
            source.replace((step.which as number[]).map((index) => everyone[index] as (typeof everyone)[0]));
          } else if ("balancing" in step) {
            upstream.configure({ ...policy, balancing: step.balancing });
          }
          const { instances } = upstream.snapshot();
          const ejected = instances.filter(({ state }) => state === "ejected").length;
          expect(ejected).toBeLessThanOrEqual(maxEjectedShare * instances.length);
          for (const { id, active } of instances) {
            expect(active).toBe(
              running.filter(({ endpoint, isListed }) => isListed && endpoint.id === id).length,
            );
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});
