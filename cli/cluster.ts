import { request } from "undici";
import type { Outputs } from "./outputs.ts";

/** A check of a service's instance, from Consul. */
export interface Check {
  name: string;
  status: "passing" | "warning" | "critical";
  output: string;
}

/** An instance of a service, from Consul. */
export interface Instance {
  address: string;
  meta: Record<string, string>;
  checks: Check[];
}

/** A job, from Nomad. */
export interface JobSummary {
  name: string;
  type: "service" | "batch";
  status: string;
  /** How many instances are asked for. */
  count: number;
}

/** What runs: Nomad's jobs, and for each service the instances that Consul knows. */
export interface Cluster {
  jobs: JobSummary[];
  instances: Map<string, Instance[]>;
}

interface JobStub {
  ID: string;
  Name: string;
  Type: JobSummary["type"];
  Status: string;
  Stop: boolean;
}

interface ScaleStatus {
  TaskGroups: Record<string, { Desired: number }>;
}

interface HealthEntry {
  Node: { Address: string };
  Service: { Address: string; Port: number; Meta?: Record<string, string> };
  Checks: Array<{ Name: string; Status: Check["status"]; Output: string; ServiceID: string }>;
}

const timeoutMs = 5000;

/** Reads what runs from Nomad and Consul, with the tokens of the stack. */
export async function readCluster({ urls, credentials }: Outputs): Promise<Cluster> {
  const consul = <T>(path: string) =>
    get<T>(new URL(path, urls.consul), { "x-consul-token": credentials.consulToken });
  const nomad = <T>(path: string) =>
    get<T>(new URL(path, urls.nomad), { "x-nomad-token": credentials.nomadToken });
  const [jobs, services] = await Promise.all([
    nomad<JobStub[]>("/v1/jobs"),
    consul<Record<string, unknown>>("/v1/catalog/services"),
  ]);
  const own = jobs.filter(({ Stop }) => !Stop);
  const registered = own.filter(({ Name }) => Name in services);
  // Nomad's own list with counts, /v1/jobs/statuses, leaves out all but one of the jobs that changed at the same time.
  const [counts, entries] = await Promise.all([
    Promise.all(own.map(({ ID }) => nomad<ScaleStatus>(`/v1/job/${encodeURIComponent(ID)}/scale`))),
    Promise.all(
      registered.map(({ Name }) => consul<HealthEntry[]>(`/v1/health/service/${encodeURIComponent(Name)}`)),
    ),
  ]);
  return {
    jobs: own.map(({ Name, Type, Status }, index) => ({
      name: Name,
      type: Type,
      status: Status,
      count: countOf(counts[index] as ScaleStatus),
    })),
    instances: new Map(
      registered.map(({ Name }, index) => [Name, (entries[index] as HealthEntry[]).map(instanceOf)]),
    ),
  };
}

/** The instances of one job that Consul knows. */
export async function instancesOf({ urls, credentials }: Outputs, job: string): Promise<Instance[]> {
  const entries = await get<HealthEntry[]>(
    new URL(`/v1/health/service/${encodeURIComponent(job)}`, urls.consul),
    {
      "x-consul-token": credentials.consulToken,
    },
  );
  return entries.map(instanceOf);
}

/** The services that aren't healthy, each with the reason. A job of which no instance is asked for is no matter of health. */
export function unhealthy({ jobs, instances }: Cluster): string[] {
  return jobs
    .filter(({ type }) => type === "service")
    .flatMap(({ name, count }) => {
      const known = instances.get(name) ?? [];
      if (known.length < count) {
        return [`${name} has ${known.length} of ${count} instances`];
      }
      return known
        .flatMap(({ checks }) => checks)
        .filter(({ status }) => status !== "passing")
        .map((check) => `${name}: check "${check.name}" is ${check.status}`);
    });
}

/** Whether every check of a job passes. */
export async function isHealthy(outputs: Outputs, job: string): Promise<boolean> {
  const cluster = await readCluster(outputs);
  const jobs = cluster.jobs.filter(({ name }) => name === job);
  return jobs.length > 0 && unhealthy({ ...cluster, jobs }).length === 0;
}

function countOf({ TaskGroups }: ScaleStatus): number {
  return Object.values(TaskGroups).reduce((sum, { Desired }) => sum + Desired, 0);
}

function instanceOf({ Node, Service, Checks }: HealthEntry): Instance {
  return {
    address: `${Service.Address || Node.Address}:${Service.Port}`,
    meta: Service.Meta ?? {},
    checks: Checks.filter(({ ServiceID }) => ServiceID !== "").map(({ Name, Status, Output }) => ({
      name: Name,
      status: Status,
      output: Output,
    })),
  };
}

async function get<T>(url: URL, headers: Record<string, string>): Promise<T> {
  const { statusCode, body } = await request(url, {
    headers,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  if (statusCode !== 200) {
    throw new Error(
      `${url.origin}${url.pathname} answered ${statusCode}: ${(await body.text()).slice(0, 200)}`,
    );
  }
  return (await body.json()) as T;
}
