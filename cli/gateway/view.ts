import ansis from "ansis";
import { table } from "../output.ts";
import type { GatewayReport } from "./gateways.ts";

type Upstream = GatewayReport["upstreams"][number];
type Instance = Upstream["instances"][number];

/** What was seen, and when, to tell how much happens a second. */
export interface Sight {
  atMs: number;
  gateways: GatewayReport[];
}

/** What the gateways know, for people. */
export function describeGateways({ atMs, gateways }: Sight, before?: Sight): string {
  return gateways
    .map((gateway) => {
      const earlier = before?.gateways.find(({ instance }) => instance === gateway.instance);
      const passedMs = before ? atMs - before.atMs : 0;
      return [...headLines(gateway), instanceTable(gateway, earlier, passedMs)].join("\n");
    })
    .join("\n\n");
}

function headLines({ instance, policies, redis, revocations, upstreams }: GatewayReport): string[] {
  const { address, identity } = policies.rateLimit;
  const notes = [
    `policies of ${policies.source === "consul" ? "Consul, over the configuration" : "the configuration"}`,
    `${address.limit} requests in ${address.windowSeconds} s an address, ${identity.limit} in ${identity.windowSeconds} s a person`,
    `log-outs remembered: ${revocations.count}`,
  ];
  return [
    `${ansis.bold(`gateway ${instance.slice(0, 8)}`)}: ${notes.join("; ")}.`,
    ...(policies.refused ? [ansis.red(`Policies in Consul are refused: ${policies.refused}`)] : []),
    ...(redis === "away" ? [ansis.yellow("Redis is away: requests are not counted.")] : []),
    ...(revocations.isCurrent ? [] : [ansis.yellow("Log-outs can't be heard of; those known still count.")]),
    ...upstreams.flatMap(upstreamNotes),
  ];
}

function upstreamNotes({ name, source, breaker, isPanic }: Upstream): string[] {
  return [
    ...(source.isCurrent
      ? []
      : [
          ansis.yellow(
            `${name}: the last known list is in use (${source.error ?? "Consul has not answered"}).`,
          ),
        ]),
    ...(breaker === "closed" ? [] : [ansis.red(`${name}: the circuit is ${breaker}.`)]),
    ...(isPanic ? [ansis.yellow(`${name}: too few instances are well, so all are used.`)] : []),
  ];
}

function instanceTable(
  { upstreams }: GatewayReport,
  earlier: GatewayReport | undefined,
  passedMs: number,
): string {
  const isWatching = earlier !== undefined && passedMs > 0;
  return table(
    [
      "service",
      "balancing",
      "instance",
      "state",
      "why",
      "active",
      "total",
      ...(isWatching ? ["a second"] : []),
      "failed",
      "ejected",
      "ms",
    ],
    upstreams.flatMap((upstream) =>
      upstream.instances.map((instance, index) => [
        index === 0 ? upstream.name : "",
        index === 0 ? upstream.policy.balancing : "",
        weighted(instance),
        coloured(instance.state),
        instance.why,
        instance.active,
        instance.total,
        ...(isWatching ? [rate(instance, earlier, passedMs)] : []),
        instance.failures > 0 ? ansis.red(String(instance.failures)) : 0,
        instance.ejections,
        instance.latencyMs === null ? "" : instance.latencyMs.toFixed(1),
      ]),
    ),
  );
}

function weighted({ origin, weight }: Instance): string {
  const address = origin.replace("http://", "");
  return weight === 1 ? address : `${address} × ${weight}`;
}

function rate(instance: Instance, earlier: GatewayReport, passedMs: number): string {
  const before = earlier.upstreams
    .flatMap(({ instances }) => instances)
    .find(({ id }) => id === instance.id)?.total;
  return (((instance.total - (before ?? 0)) * 1000) / passedMs).toFixed(0);
}

function coloured(state: Instance["state"]): string {
  return state === "healthy"
    ? ansis.green(state)
    : state === "slow-start"
      ? ansis.yellow(state)
      : ansis.red(state);
}
