import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import { type CurrentToken, ShopClient } from "../cli/shop-client.ts";
import { type FuzzResult, fuzz } from "./support/fuzz/check.ts";
import type { ApiDocument } from "./support/fuzz/operations.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";
import { until } from "./support/until.ts";

/** The services that answer people, each with the job whose absence makes it of no use. */
const services = [
  { name: "user", backend: "mysql" },
  { name: "product", backend: "mongodb" },
  { name: "cart", backend: "redis" },
  { name: "order", backend: "mysql" },
  { name: "payment", backend: "mysql" },
  { name: "notification", backend: "mysql" },
  { name: "analytics", backend: "cassandra" },
  { name: "social", backend: "neo4j" },
];

/** What would lock the test out: it asks with the log-ins of two people, one of them the first that there was. */
const except = ["POST /api/users/keys/rotate", "POST /api/users/logout", "DELETE /api/users/{id}"];

const runs = 40;
const seed = 20_251_028;

let lab: ThrowawayLab;
let status: StatusReport;
let variables: Record<string, string>;
let shop: ShopClient;
let tokens: Array<string | CurrentToken>;

beforeAll(async () => {
  lab = await createThrowawayLab("fuzz");
  status = await lab.json<StatusReport>(["up"]);
  variables = await lab.json(["env"]);
  await lab.json(["seed"]);
  shop = new ShopClient(status.urls.gateway);
  const admin = await shop.login({
    email: variables.SHOP_ADMIN_EMAIL as string,
    password: variables.SHOP_ADMIN_PASSWORD as string,
  });
  const customer = await shop.register({
    name: "Ada",
    email: "ada@example.org",
    password: "a password of Ada",
  });
  tokens = [() => customer.internalToken(), () => admin.internalToken(), ""];
});

afterAll(async () => {
  await shop?.close();
  await lab?.remove();
});

function originOf(service: string): string {
  return `http://${status.jobs.find(({ name }) => name === service)?.addresses[0]}`;
}

async function fuzzed(name: string, backendUp: boolean): Promise<FuzzResult> {
  const origin = originOf(name);
  const document = (await (await fetch(`${origin}/openapi.json`)).json()) as ApiDocument;
  return fuzz({ origin, document, runs: backendUp ? runs : 5, seed, tokens, except, backendUp });
}

/** Sets how many instances of a job run. */
async function scale(job: string, count: number): Promise<void> {
  const response = await fetch(`${status.urls.nomad}/v1/job/${job}/scale`, {
    method: "POST",
    headers: { "x-nomad-token": variables.NOMAD_TOKEN as string },
    body: JSON.stringify({ Count: count, Target: { Group: job } }),
  });
  expect(response.status, await response.text()).toBe(200);
}

async function readiness(service: string): Promise<number> {
  return (await fetch(`${originOf(service)}/readyz`)).status;
}

test.each(services)("$name has no 5xx for any input, and answers as its document says", async ({ name }) => {
  const { sent, statuses, violations } = await fuzzed(name, true);
  expect(sent).toBeGreaterThan(runs);
  // A payment is found by the id of its order only, which nobody guesses: let in, and not there.
  expect(statuses[200] ?? statuses[201] ?? statuses[404]).toBeGreaterThan(0);
  expect(violations).toEqual([]);
});

describe.each([...new Set(services.map(({ backend }) => backend))])("without %s", (backend) => {
  const affected = services.filter((service) => service.backend === backend).map(({ name }) => name);

  beforeAll(async () => {
    await scale(backend, 0);
    for (const name of affected) {
      await until(`${name} to be unready`, async () => (await readiness(name)) === 503);
    }
  });

  afterAll(async () => {
    await scale(backend, 1);
    for (const name of affected) {
      await until(`${name} to be ready`, async () => (await readiness(name)) === 200, 120_000);
    }
  });

  test.each(affected)("%s answers 503 with Retry-After", async (name) => {
    const { statuses, violations } = await fuzzed(name, false);
    expect(violations).toEqual([]);
    expect(statuses[503]).toBeGreaterThan(0);
  });
});
