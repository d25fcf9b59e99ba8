import { request } from "undici";
import type { Outputs } from "./outputs.ts";

/** The group that every service's job has, in `jobs/service.nomad.hcl`. */
const group = "service";

interface AllocationStub {
  ID: string;
  ClientStatus: string;
}

/** How many instances of a service's job are asked for. */
export async function countOf(outputs: Outputs, job: string): Promise<number> {
  const { TaskGroups } = await ask<{ TaskGroups: Record<string, { Desired: number }> }>(
    outputs,
    "GET",
    `/v1/job/${encodeURIComponent(job)}/scale`,
  );
  return TaskGroups[group]?.Desired ?? 0;
}

/**
 * Asks for so many instances of a service's job (https://developer.hashicorp.com/nomad/api-docs/jobs#scale-task-group).
 *
 * @param because what Nomad shows as the reason
 */
export async function scale(outputs: Outputs, job: string, count: number, because: string): Promise<void> {
  await ask(outputs, "POST", `/v1/job/${encodeURIComponent(job)}/scale`, {
    Count: count,
    Target: { Group: group },
    Message: because,
  });
}

/** The ids of the allocations of a job that run. */
export async function runningAllocations(outputs: Outputs, job: string): Promise<string[]> {
  const allocations = await ask<AllocationStub[]>(
    outputs,
    "GET",
    `/v1/job/${encodeURIComponent(job)}/allocations`,
  );
  return allocations.filter(({ ClientStatus }) => ClientStatus === "running").map(({ ID }) => ID);
}

/** A service's job as Nomad has it (`api.Job`); what nobody here uses goes back as it came. */
export interface JobSpecification {
  ID: string;
  Version: number;
  Meta: Record<string, string> | null;
  TaskGroups: Array<{ Name: string; Count: number; Update: Record<string, unknown> | null }>;
}

/** Where a job comes from: its source, with its variables. */
type Submission = Record<string, unknown>;

/** What Nomad has registered of a job: enough to register it again just so. */
export interface RegisteredJob {
  specification: JobSpecification;
  submission: Submission | undefined;
}

/** Reads a job (https://developer.hashicorp.com/nomad/api-docs/jobs#read-job). */
export async function readJob(outputs: Outputs, job: string): Promise<RegisteredJob> {
  const path = `/v1/job/${encodeURIComponent(job)}`;
  const specification = await ask<JobSpecification>(outputs, "GET", path);
  // Nomad forgets the source of old versions, and has none of a job that came without.
  const submission = await ask<Submission>(
    outputs,
    "GET",
    `${path}/submission?version=${specification.Version}`,
  ).catch(() => undefined);
  return { specification, submission };
}

/** @returns the index by which Nomad knows what was registered; that of before, where nothing has changed */
export async function registerJob(
  outputs: Outputs,
  { specification, submission }: RegisteredJob,
): Promise<number> {
  const { JobModifyIndex } = await ask<{ JobModifyIndex: number }>(outputs, "POST", "/v1/jobs", {
    Job: specification,
    ...(submission && { Submission: submission }),
  });
  return JobModifyIndex;
}

/**
 * Whether the deployment of a job as it was registered has succeeded.
 *
 * @param index as {@link registerJob} gives it
 */
export async function isDeployed(outputs: Outputs, job: string, index: number): Promise<boolean> {
  const deployments = await ask<Array<{ JobSpecModifyIndex: number; Status: string }>>(
    outputs,
    "GET",
    `/v1/job/${encodeURIComponent(job)}/deployments`,
  );
  return deployments.some(
    ({ JobSpecModifyIndex, Status }) => JobSpecModifyIndex === index && Status === "successful",
  );
}

async function ask<T>(
  { urls, credentials }: Outputs,
  method: "GET" | "POST" | "PUT",
  path: string,
  body?: object,
): Promise<T> {
  const { statusCode, body: answer } = await request(new URL(path, urls.nomad), {
    method,
    headers: { "x-nomad-token": credentials.nomadToken },
    body: body ? JSON.stringify(body) : null,
  });
  if (statusCode !== 200) {
    throw new Error(`Nomad answered ${method} ${path} with ${statusCode}: ${await answer.text()}`);
  }
  return (await answer.json()) as T;
}
