import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import type { Interruption, MonolithComparison } from "../cli/compare/monolith/compare.ts";
import { createThrowawayLab, type ThrowawayLab } from "./support/throwaway-lab.ts";

let lab: ThrowawayLab;

beforeAll(async () => {
  lab = await createThrowawayLab("both-ways");
  await lab.json(["up"]);
});

afterAll(() => lab?.remove());

/** The services whose part of the shop was away. */
function away({ routes }: Interruption): string[] {
  return Object.entries(routes)
    .filter(([, { failed }]) => failed > 0)
    .map(([service]) => service);
}

test("a change exchanges, and a crash takes, all of the monolith, and one service of many", async () => {
  const { service, monolith, microservices } = await lab.json<MonolithComparison>([
    "compare",
    "monolith-microservices",
    "--service",
    "cart",
  ]);
  expect(service).toBe("cart");
  // The gateway is a process that only the services need, and no part of the shop.
  const { gateway, ...ofServices } = microservices.processes;
  expect(gateway).toBeDefined();
  const services = Object.keys(ofServices);
  expect(services).toHaveLength(8);
  for (const { routes } of [
    monolith.deployment,
    monolith.crash,
    microservices.deployment,
    microservices.crash,
  ]) {
    expect(Object.values(routes).every(({ requests }) => requests > 10)).toBe(true);
  }
  expect(monolith.deployment.parts.toSorted()).toEqual(services.toSorted());
  expect(microservices.deployment.parts).toEqual(["cart"]);
  expect(monolith.deployment.bundleBytes).toBeGreaterThan(microservices.deployment.bundleBytes);
  expect(away(microservices.deployment)).toEqual([]);
  expect(away(monolith.crash).toSorted()).toEqual(services.toSorted());
  expect(away(microservices.crash)).toEqual(["cart"]);

  const whole = monolith.processes.monolith;
  const { cart } = ofServices;
  expect(whole?.connectedTo.toSorted()).toEqual(["Cassandra", "MongoDB", "MySQL", "NATS", "Neo4j", "Redis"]);
  expect(cart?.connectedTo).toContain("Redis");
  expect(cart?.connectedTo.length).toBeLessThanOrEqual(2);
  expect(whole?.bundleBytes).toBeGreaterThan(cart?.bundleBytes as number);
  expect(monolith.scaling.memoryBytes).toBeGreaterThan(microservices.scaling.memoryBytes);
});

test("the stack is as before afterwards", async () => {
  const { jobs } = await lab.json<StatusReport>(["status"]);
  expect(jobs.filter(({ state }) => state === "unhealthy")).toEqual([]);
  expect(jobs.find(({ name }) => name === "monolith")?.instances).toBe(0);
  expect(jobs.find(({ name }) => name === "cart")?.instances).toBe(1);
  const { exitCode, stdout } = await lab.lab(["up"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("Nothing to change");
});
