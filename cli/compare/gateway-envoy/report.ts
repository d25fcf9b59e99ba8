import ansis from "ansis";
import { table } from "../../output.ts";
import { type GatewayEnvoyComparison, killAfterSeconds, takesMs } from "./compare.ts";
import { type Course, failedShare, type Share, tolerance } from "./shares.ts";

/** The comparison for people. */
export function describeGatewayEnvoy(result: GatewayEnvoyComparison): string {
  const { rivals, settings, holds } = result;
  const { instances, dead, seconds, rate } = settings;
  const row = (what: string, of: (course: Course) => Share | undefined) => [
    what,
    ...rivals.map(({ course }) => shown(of(course))),
  ];
  return [
    table(
      ["failed of the requests sent", ...rivals.map(({ description }) => description)],
      [
        ...Array.from({ length: seconds }, (_, second) =>
          row(
            `in second ${second + 1}${second === killAfterSeconds ? `: ${dead} of ${instances} die` : ""}`,
            (course) => course.seconds[second],
          ),
        ),
        row("before the kill", (course) => course.before),
        row("within a second of it", (course) => course.firstSecond),
        row("later", (course) => course.after),
      ],
    ),
    "",
    `All stand before the same ${instances} instances, and get ${rate} requests a second each; an instance takes ${takesMs} ms. Consul, which looks after the instances once an hour here, goes on`,
    "listing the dead ones. Set alike: 3 failures in a row eject for 5 s, up to 70 % of all; no panic above 30 %; 2 retries on others, up to a fifth of",
    "the requests; a probe every 2 s; 0.5 s for a connection. Stock: 5 failures eject for 30 s, up to 10 %; no retries, no probes; panic below 50 %.",
    holds
      ? ansis.green(`Fewer than ${tolerance * 100} % of the gateway's requests fail after the first second.`)
      : ansis.red(`${tolerance * 100} % of the gateway's requests or more fail after the first second.`),
  ].join("\n");
}

function shown(share: Share | undefined): string {
  if (!share) {
    return "";
  }
  const percent = `${(100 * failedShare(share)).toFixed(1)} %`;
  return `${share.failed} of ${share.requests}, ${share.failed === 0 ? ansis.green(percent) : ansis.yellow(percent)}`;
}
