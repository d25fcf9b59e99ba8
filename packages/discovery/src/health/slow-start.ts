/** A new instance gets this share of its turns at first, enough to warm up with. */
const firstShare = 0.1;

/** With which probability an instance takes its turn, so long after it came: it grows evenly to 1. */
export function acceptance(sinceMs: number, nowMs: number, slowStartMs: number): number {
  return Math.min(1, firstShare + ((1 - firstShare) * (nowMs - sinceMs)) / slowStartMs);
}
