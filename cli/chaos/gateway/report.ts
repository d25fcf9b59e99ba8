import ansis from "ansis";
import { seconds, table } from "../../output.ts";
import type { GatewayChaosReport } from "../gateway.ts";

/** The report for programs: times since users began, in milliseconds. */
export function summaryOf(report: GatewayChaosReport) {
  const {
    requests,
    failed,
    statuses,
    explained,
    unexplained,
    tolls,
    calm,
    startedMs,
    tookMs,
    holds,
    settings,
  } = report;
  const since = (ms: number) => Math.round(ms - startedMs);
  return {
    requests,
    failed,
    statuses,
    explained: explained.map(({ killedMs, ...one }) => ({ ...one, killedAtMs: since(killedMs) })),
    unexplained: unexplained.length,
    examples: unexplained.slice(0, 20).map(({ what, atMs, endMs, status, why }) => ({
      what,
      atMs: since(atMs),
      tookMs: Math.round(endMs - atMs),
      status,
      why,
    })),
    events: tolls.map(({ kind, job, fromMs, toMs, killedMs, ...counts }) => ({
      kind,
      job,
      atMs: since(fromMs),
      tookMs: Math.round(toMs - fromMs),
      ...(killedMs !== undefined && { killedAtMs: since(killedMs) }),
      ...counts,
    })),
    calm,
    tookMs,
    holds,
    ...settings,
  };
}

/** The report for people. */
export function describeGatewayChaos(report: GatewayChaosReport): string {
  const { requests, failed, events, calm, explained, examples, unexplained, statuses, tookMs, users, seed } =
    summaryOf(report);
  return [
    table(
      ["what happened", "to", "at", "for", "requests meanwhile", "failed", "of these explained"],
      [
        ...report.tolls.map((toll, index) => {
          const { atMs, tookMs: forMs } = events[index] as (typeof events)[number];
          return [
            toll.kind,
            toll.job,
            seconds(atMs),
            seconds(forMs),
            toll.requests,
            coloured(toll.failed, toll.failed === toll.explained),
            toll.explained,
          ];
        }),
        ["nothing", "", "", "", calm.requests, coloured(calm.failed, false), ""],
      ],
    ),
    [
      `${requests} requests by ${users} users in ${seconds(tookMs)}, seed ${seed}; by status: ${statusesShown(statuses)}.`,
      ...explained.map(
        ({ job, killedAtMs, count, why }) =>
          `kill -9 of ${job} at ${seconds(killedAtMs)} cost ${count} ${count === 1 ? "request that" : "requests, each of which"} ${why}.`,
      ),
      ...examples.map(
        ({ what, atMs, tookMs: took, status, why }) =>
          `Unexplained: ${what} at ${seconds(atMs)}, after ${seconds(took, 2)}: ${status === 0 ? "no answer" : status}, ${why ?? "no reason given"}`,
      ),
      failed === 0
        ? ansis.green("No request failed.")
        : unexplained === 0
          ? ansis.green(`${failed} requests failed, each of them for a kill -9.`)
          : ansis.red(`${unexplained} requests failed, and no kill -9 explains it.`),
    ].join("\n"),
  ].join("\n\n");
}

function coloured(failed: number, isFine: boolean): string {
  return failed === 0 ? ansis.green("0") : isFine ? ansis.yellow(String(failed)) : ansis.red(String(failed));
}

function statusesShown(statuses: Record<string, number>): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status === "0" ? "no answer" : status} ${count} ×`)
    .join(", ");
}
