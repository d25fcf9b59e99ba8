/** One request, and whether it was answered. */
export interface Sample {
  /** When it was sent, in milliseconds of `performance.now()`. */
  atMs: number;
  isAnswered: boolean;
}

/** What customers of a route have noticed. */
export interface Outage {
  requests: number;
  failed: number;
  /** The time between each first request that failed and the next that was answered, in all. */
  outageMs: number;
}

/** How long a route was out, from requests that were sent again and again. */
export function outageOf(samples: readonly Sample[]): Outage {
  let outageMs = 0;
  let sinceMs: number | undefined;
  const inOrder = samples.toSorted((one, other) => one.atMs - other.atMs);
  for (const { atMs, isAnswered } of inOrder) {
    if (!isAnswered) {
      sinceMs ??= atMs;
    } else if (sinceMs !== undefined) {
      outageMs += atMs - sinceMs;
      sinceMs = undefined;
    }
  }
  // Still out at the last request.
  outageMs += sinceMs === undefined ? 0 : (inOrder.at(-1)?.atMs ?? sinceMs) - sinceMs;
  return {
    requests: samples.length,
    failed: samples.filter(({ isAnswered }) => !isAnswered).length,
    outageMs: Math.round(outageMs),
  };
}
