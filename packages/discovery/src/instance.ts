import type { Candidate } from "./balancing/balancer.ts";
import type { Endpoint } from "./endpoint.ts";
import { OutlierRecord } from "./health/outlier-detector.ts";

export type InstanceStateName = "healthy" | "slow-start" | "ejected" | "unhealthy";

/** An instance as the balancer sees it; only its upstream changes it. */
export interface Instance {
  readonly endpoint: Endpoint;
  readonly state: InstanceStateName;
  /** Requests that run on it. */
  readonly active: number;
  /** False once the registry has dropped it; what runs on it goes on. */
  readonly isListed: boolean;
  /** For the caller, who may keep its connections to the instance here. */
  attachment?: unknown;
}

/** An instance with all that is counted of it, in one flat object, since each request touches it. */
export class InstanceRecord extends OutlierRecord implements Instance, Candidate {
  endpoint: Endpoint;
  attachment: unknown = undefined;
  isListed = true;
  index = -1;

  active = 0;
  total = 0;
  failures = 0;
  estimateMs = 0;
  estimatedAtMs = 0;

  /** Answers of the active probe in a row that speak against what it counts as. */
  contraryProbes = 0;
  isUnhealthy = false;
  /** Infinity when it isn't in slow start. */
  slowSinceMs = Number.POSITIVE_INFINITY;
  /** What brought it into its state. */
  why = "";

  constructor(endpoint: Endpoint) {
    super();
    this.endpoint = endpoint;
  }

  get state(): InstanceStateName {
    if (this.isUnhealthy) {
      return "unhealthy";
    }
    if (this.ejectedUntilMs !== 0) {
      return "ejected";
    }
    return this.slowSinceMs === Number.POSITIVE_INFINITY ? "healthy" : "slow-start";
  }

  /** Whether it may be chosen outside of a panic. */
  get isUsable(): boolean {
    return !this.isUnhealthy && this.ejectedUntilMs === 0;
  }
}
