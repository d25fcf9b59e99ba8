import { expect, test } from "vitest";
import { silentLog as log } from "../../../tests/support/silent-log.ts";
import { createApp } from "./app.ts";
import { counter, gauge } from "./metrics.ts";

test("an app shows what its process counts, and leaves out what can't be read now", async () => {
  counter("test_cakes_total", "Cakes", ["kind"]).inc({ kind: "plum" });
  gauge("test_oven_celsius", "Warmth", [], async (oven) => oven.set(180));
  gauge("test_cellar_celsius", "Warmth", ["corner"], () => Promise.reject(new Error("flooded")));
  const app = createApp({ name: "test", description: "", log, isStopping: () => false });
  await app.request("/livez");

  const response = await app.request("/metrics");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  const lines = (await response.text()).split("\n");
  expect(lines).toContain('test_cakes_total{kind="plum"} 1');
  expect(lines).toContain("test_oven_celsius 180");
  expect(lines.some((line) => /^test_cellar_celsius\b/.test(line))).toBe(false);
  expect(lines.some((line) => /^http_requests_total\{.*service="test"/.test(line))).toBe(true);
});
