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
}

/** What runs: Nomad's jobs, and for each service the instances that Consul knows. */
export interface Cluster {
  jobs: JobSummary[];
  instances: Map<string, Instance[]>;
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
  const [jobs, services] = await Promise.all([
    get<Array<{ Name: string; Type: JobSummary["type"]; Status: string; Stop: boolean }>>(
      new URL("/v1/jobs", urls.nomad),
      { "x-nomad-token": credentials.nomadToken },
    ),
    consul<Record<string, unknown>>("/v1/catalog/services"),
  ]);
  const own = jobs.filter(({ Stop }) => !Stop);
  const registered = own.filter(({ Name }) => Name in services);
  const entries = await Promise.all(
    registered.map(({ Name }) => consul<HealthEntry[]>(`/v1/health/service/${encodeURIComponent(Name)}`)),
  );
  return {
    jobs: own.map(({ Name, Type, Status }) => ({ name: Name, type: Type, status: Status })),
    instances: new Map(
      registered.map(({ Name }, index) => [Name, (entries[index] as HealthEntry[]).map(instanceOf)]),
    ),
  };
}

/** The services that aren't healthy, each with the reason. */
export function unhealthy({ jobs, instances }: Cluster): string[] {
  return jobs
    .filter(({ type }) => type === "service")
    .flatMap(({ name }) => {
      const known = instances.get(name) ?? [];
      if (known.length === 0) {
        return [`${name} has no instance`];
      }
      return known
        .flatMap(({ checks }) => checks)
        .filter(({ status }) => status !== "passing")
        .map((check) => `${name}: check "${check.name}" is ${check.status}`);
    });
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
