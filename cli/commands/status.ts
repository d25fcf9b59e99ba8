import ansis from "ansis";
import { Command } from "commander";
import { serviceNames, stoppedNames } from "../../infra/shop/services.ts";
import { type Instance, type JobSummary, readCluster } from "../cluster.ts";
import { printResult, table } from "../output.ts";
import { notRunning, type Outputs, outputsOf } from "../outputs.ts";
import type { Stack } from "../stack.ts";
import { stackOf, wantsJson } from "./options.ts";

/** One job of the environment. */
export interface JobStatus {
  name: string;
  /** `stopped`: no instance is asked for, and none is there. */
  state: "healthy" | "unhealthy" | "stopped" | "finished";
  healthyInstances: number;
  /** How many there are, or should be, whichever is more. */
  instances: number;
  addresses: string[];
  /** Which server it is, where there is a choice: `MariaDB in MySQL's place`, `mongod`. */
  standIn?: string;
  /** Checks that don't pass, with what they say. */
  failing: string[];
}

export interface StatusReport {
  stack: string;
  urls: Outputs["urls"];
  mongodbServer: Outputs["mongodbServer"];
  jobs: JobStatus[];
}

/** The order in which people look for things. */
const order: string[] = [
  ...serviceNames,
  ...stoppedNames,
  ...["mysql", "mongodb", "redis", "cassandra", "neo4j", "nats", "artifacts"],
];

export function statusCommand(): Command {
  return new Command("status")
    .description("show what runs where, and how it is")
    .option("--json", "print it as JSON")
    .action(async (_options, command: Command) => {
      const stack = stackOf(command);
      const report = await statusOf(stack, await outputsOf(stack));
      printResult(wantsJson(command), report, () => describeStatus(report));
    });
}

/** Reads the state of every job from Nomad and Consul. */
export async function statusOf(stack: Stack, outputs: Outputs): Promise<StatusReport> {
  const cluster = await readCluster(outputs).catch(() => {
    throw notRunning(stack, "Nomad or Consul");
  });
  const jobs = cluster.jobs
    .map((job) => jobStatus(job, cluster.instances.get(job.name) ?? []))
    .sort((one, other) => rank(one.name) - rank(other.name) || (one.name < other.name ? -1 : 1));
  return { stack: stack.name, urls: outputs.urls, mongodbServer: outputs.mongodbServer, jobs };
}

/** The report as a table for people. */
export function describeStatus({ stack, urls, jobs }: StatusReport): string {
  const rows = jobs
    .filter(({ state }) => state === "healthy" || state === "unhealthy")
    .map(({ name, state, healthyInstances, instances, addresses, standIn, failing }) => [
      name,
      state === "healthy" ? ansis.green(state) : ansis.red(state),
      `${healthyInstances}/${instances}`,
      addresses.join(", "),
      [standIn, ...failing].filter(Boolean).join("; "),
    ]);
  const finished = jobs.filter(({ state }) => state === "finished").length;
  const stopped = jobs.filter(({ state }) => state === "stopped").map(({ name }) => name);
  return [
    table(
      ["job", "state", "healthy", "address", ""],
      [
        ["consul", ansis.green("healthy"), "", hostOf(urls.consul), ""],
        ["nomad", ansis.green("healthy"), "", hostOf(urls.nomad), ""],
        ...rows,
      ],
    ),
    "",
    `Stack ${stack}: the shop at ${urls.gateway}, Nomad at ${urls.nomad}, Consul at ${urls.consul}; ` +
      `${finished} one-off jobs are done.`,
    ...(stopped.length > 0 ? [`Stopped until something starts them: ${stopped.join(", ")}.`] : []),
  ].join("\n");
}

/** What the table says of one job. */
export function jobStatus(job: JobSummary, instances: Instance[]): JobStatus {
  const { name, count } = job;
  const healthy = instances.filter(({ checks }) => checks.every((check) => check.status === "passing"));
  const { server, standsInFor } = instances[0]?.meta ?? {};
  return {
    name,
    state: stateOf(job, instances.length, healthy.length),
    healthyInstances: healthy.length,
    instances: Math.max(instances.length, count),
    addresses: instances.map(({ address }) => address),
    ...(server ? { standIn: standsInFor ? `${server} in ${standsInFor}'s place` : server } : {}),
    failing: instances
      .flatMap(({ checks }) => checks)
      .filter((check) => check.status !== "passing")
      .map((check) => `${check.name}: ${check.output.trim().split("\n")[0]}`),
  };
}

function stateOf(
  { type, status, count }: JobSummary,
  instances: number,
  healthy: number,
): JobStatus["state"] {
  if (type === "batch") {
    return status === "dead" ? "finished" : "unhealthy";
  }
  if (count === 0 && instances === 0) {
    return "stopped";
  }
  return healthy === instances && instances >= count ? "healthy" : "unhealthy";
}

function rank(name: string): number {
  const known = order.indexOf(name);
  return known === -1 ? Number.MAX_SAFE_INTEGER : known;
}

function hostOf(url: string): string {
  return new URL(url).host;
}
