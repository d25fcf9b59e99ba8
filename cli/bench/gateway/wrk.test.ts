import { expect, test } from "vitest";
import { LabError } from "../../errors.ts";
import { sampleOf } from "./wrk.ts";

const noErrors = { connect: 0, read: 0, write: 0, timeout: 0, status: 0 };

/** What wrk prints, with the line of wrk.lua behind it. */
function printed(report: object): string {
  return [
    "Running 2s test @ http://127.0.0.1:20000/api/products/1",
    "  1 threads and 32 connections",
    "  25000 requests in 2.00s, 9.30MB read",
    "",
    JSON.stringify(report),
    "",
  ].join("\n");
}

const report = { requests: 25_000, durationUs: 2_000_000, p50: 2400, p99: 7100, "p99.9": 12_345 };

test("requests a second and milliseconds are read from what wrk has printed", () => {
  expect(sampleOf(printed({ ...report, errors: noErrors }))).toEqual({
    requestsPerSecond: 12_500,
    latencyMs: { p50: 2.4, p99: 7.1, "p99.9": 12.345 },
  });
});

test.each(Object.keys(noErrors))("a round with errors (%s) is none", (kind) => {
  const output = printed({ ...report, errors: { ...noErrors, [kind]: 3 } });
  expect(() => sampleOf(output)).toThrow(LabError);
  expect(() => sampleOf(output)).toThrow(`${kind}: 3`);
});

test("a round without an answer is none", () => {
  expect(() => sampleOf(printed({ ...report, requests: 0, errors: noErrors }))).toThrow("Of 0 requests");
});

test("a wrk that has not come to its end is noticed", () => {
  expect(() => sampleOf("Running 2s test @ http://127.0.0.1:20000/\n")).toThrow();
});
