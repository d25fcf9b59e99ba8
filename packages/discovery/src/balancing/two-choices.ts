import { type Balancer, type Candidate, firstFrom, type Random } from "./balancer.ts";

/**
 * The better one of two that are drawn. Looking at two at random evens the load out nearly as well as looking at all, and
 * callers who all know the same don't all run to the same one (Mitzenmacher 2001, "The power of two choices in randomized load
 * balancing").
 */
function twoChoices<C extends Candidate>(
  random: Random,
  isBetter: (one: C, other: C, nowMs: number) => boolean,
): Balancer<C> {
  let list: readonly C[] = [];
  return {
    prepare(usable) {
      list = usable;
    },
    pick(_key, avoid, nowMs) {
      const first = Math.floor(random() * list.length);
      const second = otherThan(first, random, list.length);
      const one = firstFrom(list, first, avoid);
      const other = firstFrom(list, second, avoid);
      return one && other && isBetter(other, one, nowMs) ? other : one;
    },
  };
}

/** A place that isn't `first`, each other one as likely; `first` where there is no other. */
function otherThan(first: number, random: Random, length: number): number {
  const place = Math.floor(random() * (length - 1));
  return length < 2 || place < first ? place : place + 1;
}

/** The one of two drawn ones on which fewer requests run. */
export function powerOfTwo<C extends Candidate>(random: Random): Balancer<C> {
  return twoChoices<C>(random, (one, other) => one.active < other.active);
}

/** The one of two drawn ones whose answer can be expected sooner: its latency, for each request on it and this one. */
export function adaptive<C extends Candidate>(random: Random): Balancer<C> {
  return twoChoices<C>(random, isSooner);
}

/** Of what nothing is known yet, the latency of the other one is assumed. */
function isSooner(one: Candidate, other: Candidate, nowMs: number): boolean {
  if (one.estimateMs === 0 || other.estimateMs === 0) {
    return one.active < other.active;
  }
  return (
    decayed(one.estimateMs, one.estimatedAtMs, nowMs) * (one.active + 1) <
    decayed(other.estimateMs, other.estimatedAtMs, nowMs) * (other.active + 1)
  );
}

/** In this time a latency that is over loses 63 % of its weight. */
const decayMs = 10_000;

/** An estimate as of now: it fades, so that an instance that was slow is tried again. */
function decayed(estimateMs: number, estimatedAtMs: number, nowMs: number): number {
  return estimateMs * Math.exp((estimatedAtMs - nowMs) / decayMs);
}

/**
 * The estimate after one more latency: a higher one counts at once, lower ones bit by bit, the faster the longer ago the last
 * one was. This is Finagle's peak EWMA (https://twitter.github.io/finagle/guide/Clients.html#p2c-peak-ewma).
 */
export function nextEstimate(
  estimateMs: number,
  estimatedAtMs: number,
  latencyMs: number,
  nowMs: number,
): number {
  const weight = Math.exp((estimatedAtMs - nowMs) / decayMs);
  return latencyMs > estimateMs ? latencyMs : estimateMs * weight + latencyMs * (1 - weight);
}
