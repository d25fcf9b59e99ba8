import type { BreakerState } from "./health/circuit-breaker.ts";
import type { InstanceRecord, InstanceStateName } from "./instance.ts";
import type { UpstreamPolicy } from "./policy.ts";
import type { SourceStatus } from "./source.ts";

/** An instance, for people. */
export interface InstanceSnapshot {
  id: string;
  origin: string;
  state: InstanceStateName;
  /** What brought it into its state. */
  why: string;
  weight: number;
  /** Requests that run on it, all that ran, and those of them that failed. */
  active: number;
  total: number;
  failures: number;
  failuresInARow: number;
  ejections: number;
  /** ISO time; only while it is ejected. */
  ejectedUntil?: string;
  /** The moving estimate; `null` before the first answer. */
  latencyMs: number | null;
}

/** An upstream, for people. */
export interface UpstreamSnapshot {
  name: string;
  policy: UpstreamPolicy;
  source: SourceStatus;
  breaker: BreakerState;
  isPanic: boolean;
  /** What the retry budget has at the moment. */
  retriesLeft: number;
  instances: InstanceSnapshot[];
}

/** The state of an upstream as plain JSON. */
export function snapshotOf({
  instances,
  nowMs,
  ...rest
}: Omit<UpstreamSnapshot, "instances"> & {
  instances: readonly InstanceRecord[];
  nowMs: number;
}): UpstreamSnapshot {
  return { ...rest, instances: instances.map((instance) => instanceSnapshot(instance, nowMs)) };
}

function instanceSnapshot(instance: InstanceRecord, nowMs: number): InstanceSnapshot {
  const { endpoint, state, why, active, total, failures, failuresInARow, ejections } = instance;
  const untilMs = instance.ejectedUntilMs;
  return {
    id: endpoint.id,
    origin: endpoint.origin,
    state,
    why,
    weight: endpoint.weight,
    active,
    total,
    failures,
    failuresInARow,
    ejections,
    ...(untilMs !== 0 && { ejectedUntil: new Date(Date.now() + untilMs - nowMs).toISOString() }),
    latencyMs: instance.estimateMs === 0 ? null : Math.round(instance.estimateMs * 1000) / 1000,
  };
}
