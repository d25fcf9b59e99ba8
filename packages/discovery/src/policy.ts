import { z } from "zod";

/** How the next instance is chosen. */
export const balancingNames = [
  "round-robin",
  "least-connections",
  "ip-hash",
  "weighted-round-robin",
  "random",
  "power-of-two",
  "adaptive",
] as const;

export type BalancingName = (typeof balancingNames)[number];

/** When an instance is left out because of what requests on it came to. */
export interface PassiveHealth {
  /** So many failures in a row eject it. */
  consecutiveFailures: number;
  /** How long, the first time; each further ejection in a row lasts twice as long. */
  baseEjectionMs: number;
  maxEjectionMs: number;
  /** How much of all instances may be ejected at a time. */
  maxEjectedShare: number;
  /** When less than this share of all is usable, all are used: the usable few could not bear it. */
  panicShare: number;
}

/** A request of its own to each instance, now and then. */
export interface ActiveProbe {
  path: string;
  intervalMs: number;
  timeoutMs: number;
  /** So many bad answers in a row take an instance out, so many good ones bring it back. */
  unhealthyAfter: number;
  healthyAfter: number;
}

/** When a whole service is let alone. */
export interface CircuitBreakerSettings {
  /** This share of failures opens it … */
  failureShare: number;
  /** … among the requests of this time … */
  windowMs: number;
  /** … when there were so many of them. */
  minPerSecond: number;
  /** After this time a single request may try. */
  halfOpenAfterMs: number;
}

/** Retries on another instance. */
export interface RetrySettings {
  /** For one request, beside its first try. */
  max: number;
  /** For all: this share of the requests of the last 10 s … */
  budgetShare: number;
  /** … and so many a second. */
  budgetPerSecond: number;
}

/** How the requests to one service are spread, and what is done when some fail. */
export interface UpstreamPolicy {
  balancing: BalancingName;
  passiveHealth: PassiveHealth;
  /** `null`: none. */
  activeProbe: ActiveProbe | null;
  /** How long an instance that is new or back takes to its full share; 0: takes it at once. */
  slowStartMs: number;
  retries: RetrySettings;
  timeouts: {
    connectMs: number;
    /** Until the head of the answer, of one try. */
    perTryMs: number;
    /** Until the head of the answer, of all tries. */
    totalMs: number;
    /** Between two parts of a body; 0: none. */
    idleMs: number;
  };
  /** `null`: none. */
  circuitBreaker: CircuitBreakerSettings | null;
}

const share = z.number().min(0).max(1);
const count = z.int().min(1).max(1000);
const durationMs = z.int().min(10).max(3_600_000);

const passiveHealth = z
  .strictObject({
    consecutiveFailures: count.default(3),
    baseEjectionMs: durationMs.default(5000),
    maxEjectionMs: durationMs.default(60_000),
    maxEjectedShare: share.default(0.7),
    panicShare: share.default(0.3),
  })
  .refine(({ baseEjectionMs, maxEjectionMs }) => baseEjectionMs <= maxEjectionMs, {
    path: ["maxEjectionMs"],
    message: "must not be below baseEjectionMs",
  });

const activeProbe = z.strictObject({
  path: z
    .string()
    .regex(/^\/[!-~]*$/, "must be a path")
    .default("/readyz"),
  intervalMs: durationMs.default(2000),
  timeoutMs: durationMs.default(1000),
  unhealthyAfter: count.default(2),
  healthyAfter: count.default(1),
});

const circuitBreaker = z.strictObject({
  failureShare: share.positive().default(0.5),
  windowMs: durationMs.default(10_000),
  minPerSecond: z.number().min(0).max(1_000_000).default(5),
  halfOpenAfterMs: durationMs.default(2000),
});

/** A policy as JSON; what it leaves out is the default. README.md says why the defaults are what they are. */
export const upstreamPolicySchema: z.ZodType<UpstreamPolicy> = z.strictObject({
  balancing: z.enum(balancingNames).default("round-robin"),
  passiveHealth: passiveHealth.prefault({}),
  activeProbe: activeProbe.nullable().prefault({}),
  slowStartMs: z.int().min(0).max(3_600_000).default(5000),
  retries: z
    .strictObject({
      max: z.int().min(0).max(10).default(2),
      budgetShare: share.default(0.2),
      budgetPerSecond: z.number().min(0).max(1_000_000).default(10),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      connectMs: durationMs.default(500),
      perTryMs: durationMs.default(5000),
      totalMs: durationMs.default(15_000),
      idleMs: z.int().min(0).max(3_600_000).default(60_000),
    })
    .prefault({}),
  circuitBreaker: circuitBreaker.nullable().prefault({}),
});
