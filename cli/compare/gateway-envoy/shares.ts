import type { Sample } from "./load.ts";

/** How many requests were sent in a time, and how many of them failed. */
export interface Share {
  requests: number;
  failed: number;
}

/** What became of the requests through one proxy. */
export interface Course {
  /** By the second in which they were sent. */
  seconds: Share[];
  before: Share;
  /** From the kill on. */
  firstSecond: Share;
  after: Share;
}

/** The largest share of requests that may fail once a second has passed since the kill. */
export const tolerance = 0.01;

/** Counts the requests of each second, and those of before and after a kill; it concerns those that were under way, too. */
export function courseOf(samples: readonly Sample[], killedAtMs: number, seconds: number): Course {
  const calmMs = killedAtMs + 1000;
  return {
    seconds: Array.from({ length: seconds }, (_, second) =>
      shareOf(samples, ({ atMs }) => Math.floor(atMs / 1000) === second),
    ),
    before: shareOf(samples, ({ endMs }) => endMs < killedAtMs),
    firstSecond: shareOf(samples, ({ atMs, endMs }) => endMs >= killedAtMs && atMs < calmMs),
    after: shareOf(samples, ({ atMs }) => atMs >= calmMs),
  };
}

function shareOf(samples: readonly Sample[], isMeant: (sample: Sample) => boolean): Share {
  const meant = samples.filter(isMeant);
  return { requests: meant.length, failed: meant.filter(({ isFailed }) => isFailed).length };
}

/** From 0 to 1; of no requests, 0. */
export function failedShare({ requests, failed }: Share): number {
  return requests === 0 ? 0 : failed / requests;
}

/** Whether so few requests failed, once a second had passed: of at least one, since none at all proves nothing. */
export function holds({ after }: Course): boolean {
  return after.requests > 0 && failedShare(after) < tolerance;
}
