import { median } from "../../statistics.ts";
import type { Sample } from "./wrk.ts";

/** Who is measured; all but the first is what the gateway is compared with. */
export const contestantNames = [
  "gateway",
  "envoy",
  "envoyPlain",
  "haproxy",
  "nginx",
  "undici",
  "fastify",
] as const;
export type ContestantName = (typeof contestantNames)[number];
export type RivalName = Exclude<ContestantName, "gateway">;

/** One sample of each. */
export type Round = Record<ContestantName, Sample>;

/** Of the gateway, beside a rival's: 2 times the throughput is 2, and so is 2 times the latency. */
export interface Ratio {
  throughput: number;
  p99: number;
}

/** The lowest and the highest of the rounds. */
type Range = [number, number];

export interface Summary {
  /** The medians of the rounds' own ratios: what slows the machine in one round slows both. */
  ratios: Record<RivalName, Ratio>;
  spread: Record<RivalName, { throughput: Range; p99: Range }>;
  /** Medians of the rounds. */
  requestsPerSecond: Record<ContestantName, number>;
  latencyMs: Record<ContestantName, Sample["latencyMs"]>;
}

const rivals = contestantNames.filter((name): name is RivalName => name !== "gateway");

/** The order of one round: each begins with another one, so that nobody always follows the same. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** What the rounds say. */
export function summaryOf(rounds: readonly Round[]): Summary {
  const ratiosOf = (rival: RivalName) => rounds.map((round) => ratioOf(round.gateway, round[rival]));
  return {
    ratios: perName(rivals, (rival) => {
      const ratios = ratiosOf(rival);
      return {
        throughput: rounded(median(ratios.map(({ throughput }) => throughput))),
        p99: rounded(median(ratios.map(({ p99 }) => p99))),
      };
    }),
    spread: perName(rivals, (rival) => {
      const ratios = ratiosOf(rival);
      return {
        throughput: rangeOf(ratios.map(({ throughput }) => throughput)),
        p99: rangeOf(ratios.map(({ p99 }) => p99)),
      };
    }),
    requestsPerSecond: perName(contestantNames, (name) =>
      Math.round(median(rounds.map((round) => round[name].requestsPerSecond))),
    ),
    latencyMs: perName(contestantNames, (name) => {
      const of = (share: keyof Sample["latencyMs"]) =>
        rounded(median(rounds.map((round) => round[name].latencyMs[share])));
      return { p50: of("p50"), p99: of("p99"), "p99.9": of("p99.9") };
    }),
  };
}

/** A record with a value for each name. */
export function perName<N extends string, T>(names: readonly N[], of: (name: N) => T): Record<N, T> {
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<N, T>;
}

function ratioOf(gateway: Sample, rival: Sample): Ratio {
  return {
    throughput: gateway.requestsPerSecond / rival.requestsPerSecond,
    p99: gateway.latencyMs.p99 / rival.latencyMs.p99,
  };
}

function rangeOf(sample: number[]): Range {
  return [rounded(Math.min(...sample)), rounded(Math.max(...sample))];
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
