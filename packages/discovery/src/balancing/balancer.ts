import type { Endpoint } from "../endpoint.ts";

/** What a policy knows of an instance: its endpoint and its counters. */
export interface Candidate {
  readonly endpoint: Endpoint;
  /** Requests that run on it. */
  readonly active: number;
  /** Its place in the list that the policy was prepared with; -1 when it isn't in it. */
  readonly index: number;
  /** A moving estimate of its latency as it was at `estimatedAtMs`; 0 before its first answer. */
  readonly estimateMs: number;
  readonly estimatedAtMs: number;
}

/**
 * A policy: it chooses among candidates by their counters, a clock and random numbers that are given to it, and knows nothing
 * else. What depends on the list only is made once for each list, so that a choice takes the same time for any number.
 */
export interface Balancer<C extends Candidate = Candidate> {
  /**
   * Takes another list.
   *
   * @param usable what it chooses from; each one's `index` is its place in it
   * @param listed all there are, in another array whenever they change
   */
  prepare(usable: readonly C[], listed: readonly C[]): void;
  /**
   * The next one, never one of `avoid`; `undefined` when none is left.
   *
   * @param key whose request it is, for policies that send the same caller to the same instance
   */
  pick(key: string | undefined, avoid: readonly C[], nowMs: number): C | undefined;
  /** Told after `active` of one in its list has gone up, or down. */
  began?(candidate: C): void;
  ended?(candidate: C): void;
}

/** A number from 0 to below 1. */
export type Random = () => number;

/** The first from a place in the list on that isn't to be avoided, looked for at most once around. */
export function firstFrom<C>(list: readonly C[], place: number, avoid: readonly C[]): C | undefined {
  for (let step = 0; step < list.length; step++) {
    const candidate = list[(place + step) % list.length] as C;
    if (!avoid.includes(candidate)) {
      return candidate;
    }
  }
  return undefined;
}
