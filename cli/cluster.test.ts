import { expect, test } from "vitest";
import { type Cluster, type Instance, type JobSummary, unhealthy } from "./cluster.ts";

function instance(status: "passing" | "critical"): Instance {
  return { address: "127.0.0.1:1", meta: {}, checks: [{ name: "answers", status, output: "" }] };
}

function cluster(job: Partial<JobSummary>, ...instances: Instance[]): Cluster {
  return {
    jobs: [{ name: "cart", type: "service", status: "running", count: 1, ...job }],
    instances: new Map(instances.length > 0 ? [["cart", instances]] : []),
  };
}

test("a job with all its instances and checks is healthy", () => {
  expect(unhealthy(cluster({ count: 2 }, instance("passing"), instance("passing")))).toEqual([]);
});

test("a check that fails, and an instance that is missing, are named", () => {
  expect(unhealthy(cluster({}, instance("critical")))).toEqual(['cart: check "answers" is critical']);
  expect(unhealthy(cluster({ count: 2 }, instance("passing")))).toEqual(["cart has 1 of 2 instances"]);
  expect(unhealthy(cluster({}))).toEqual(["cart has 0 of 1 instances"]);
});

test("a job of which no instance is asked for is not unhealthy", () => {
  expect(unhealthy(cluster({ count: 0, status: "dead" }))).toEqual([]);
});

test("a job that has run once is not unhealthy", () => {
  expect(unhealthy(cluster({ type: "batch", status: "dead" }))).toEqual([]);
});
