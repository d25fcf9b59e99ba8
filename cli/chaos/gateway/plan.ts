import { pick, seededRandom } from "../../seed/random.ts";
import { shuffled } from "../schedule.ts";

/** What happens to instances: fewer and then as many as before, a `kill -9`, a new version. */
export const mischiefs = ["stop", "kill", "deploy"] as const;
export type Mischief = (typeof mischiefs)[number];

/** Something that is to happen to a job's instances. */
export interface Planned {
  kind: Mischief;
  job: string;
  /** How long nothing happens before. */
  pauseMs: number;
}

const shortestPauseMs = 300;
const pauseRangeMs = 1200;

/**
 * What happens in turn, without an end; the same for the same seed. Every kind comes once before one comes again, and so does every job
 * to each kind.
 */
export function* planMischief(jobs: readonly string[], seed: number): Generator<Planned, never> {
  const random = seededRandom(seed);
  const waiting: Record<Mischief, string[]> = { stop: [], kill: [], deploy: [] };
  for (;;) {
    for (const kind of shuffled(mischiefs, random)) {
      if (waiting[kind].length === 0) {
        waiting[kind] = shuffled(jobs, random);
      }
      const job = waiting[kind].pop() ?? pick(random, jobs);
      yield { kind, job, pauseMs: shortestPauseMs + Math.floor(random() * pauseRangeMs) };
    }
  }
}
