import { expect, test } from "vitest";
import type { Instance } from "../cluster.ts";
import type { Outputs } from "../outputs.ts";
import { describeStatus, jobStatus } from "./status.ts";

const instance = (status: "passing" | "critical"): Instance => ({
  address: "127.0.0.1:1",
  meta: {},
  checks: [{ name: "cart is ready", status, output: "HTTP GET: 503\nmore" }],
});

test.each([
  [1, ["passing"], "healthy", 1, 1],
  [2, ["passing"], "unhealthy", 1, 2],
  [1, ["passing", "critical"], "unhealthy", 1, 2],
  [1, [], "unhealthy", 0, 1],
  [0, [], "stopped", 0, 0],
  // It is on its way out.
  [0, ["passing"], "healthy", 1, 1],
] as const)("%d asked for, %j there: %s", (count, there, state, healthyInstances, instances) => {
  const job = { name: "cart", type: "service", status: "running", count } as const;
  expect(jobStatus(job, there.map(instance))).toMatchObject({ state, healthyInstances, instances });
});

test("stopped jobs are one line, and no row", () => {
  const urls = Object.fromEntries(
    ["gateway", "nomad", "consul"].map((name) => [name, `http://${name}:1`]),
  ) as Outputs["urls"];
  const jobs = ["cart", "cart-stateful", "monolith"].map((name, index) =>
    jobStatus(
      { name, type: "service", status: "running", count: index === 0 ? 1 : 0 },
      index === 0 ? [instance("passing")] : [],
    ),
  );
  const lines = describeStatus({ stack: "dev", urls, mongodbServer: "mongod", jobs }).split("\n");
  expect(lines.filter((line) => line.includes("cart-stateful"))).toEqual([
    "Stopped until something starts them: cart-stateful, monolith.",
  ]);
});
