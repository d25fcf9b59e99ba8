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

/** Ends the tasks of an allocation, politely, and starts them again in their place. */
export async function restartAllocation(outputs: Outputs, id: string): Promise<void> {
  await ask(outputs, "PUT", `/v1/client/allocation/${encodeURIComponent(id)}/restart`, {});
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
