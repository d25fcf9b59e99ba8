import { expect, test } from "vitest";
import { type Asked, type Happening, verdictOf } from "./verdict.ts";

const kill = (job: string, killedMs = 1000): Happening => ({
  kind: "kill",
  job,
  fromMs: killedMs - 10,
  toMs: killedMs + 2000,
  killedMs,
});

const asked = (more: Partial<Asked> = {}): Asked => ({
  service: "cart",
  what: "GET /api/cart/me",
  isRepeatable: true,
  atMs: 990,
  endMs: 1010,
  status: 200,
  ...more,
});

const merge = (more: Partial<Asked> = {}) =>
  asked({ what: "POST /api/cart/merge", isRepeatable: false, status: 502, ...more });

test("what was under way on a connection to a killed gateway is explained, and counted by kill", () => {
  const lost = asked({ status: 0 });
  const { failed, explained, unexplained, tolls } = verdictOf(
    [lost, lost, asked(), asked({ status: 0, atMs: 7990, endMs: 8001 })],
    [kill("gateway"), kill("gateway", 8000)],
  );
  expect(failed).toBe(3);
  expect(explained).toMatchObject([
    { job: "gateway", killedMs: 1000, count: 2 },
    { job: "gateway", killedMs: 8000, count: 1 },
  ]);
  expect(unexplained).toEqual([]);
  expect(tolls).toMatchObject([
    { requests: 3, failed: 2, explained: 2 },
    { requests: 1, failed: 1, explained: 1 },
  ]);
});

test("a killed instance explains what may not be repeated, and an answer that it had begun", () => {
  const { explained, unexplained } = verdictOf([merge(), asked({ status: 0 })], [kill("cart")]);
  expect(explained).toHaveLength(2);
  expect(unexplained).toEqual([]);
});

test.each<[string, Asked, Happening[]]>([
  ["what may be repeated, and was not", asked({ status: 502 }), [kill("cart")]],
  ["a request that began after the kill", merge({ atMs: 1400, endMs: 1500 }), [kill("cart")]],
  ["a request that ended before it", merge({ atMs: 900, endMs: 950 }), [kill("cart")]],
  ["a request to another service", merge(), [kill("order")]],
  ["an answer of a gateway, which then lived", merge({ status: 503 }), [kill("gateway")]],
  ["a limit of requests", asked({ status: 429 }), [kill("cart")]],
  [
    "what fails while a new version is deployed",
    merge(),
    [{ ...kill("cart"), kind: "deploy", killedMs: undefined }],
  ],
  ["what fails while nothing happens", asked({ status: 0 }), []],
])("nothing explains %s", (_what, request, happenings) => {
  const { failed, explained, unexplained } = verdictOf([request, asked()], happenings);
  expect(failed).toBe(1);
  expect(explained).toEqual([]);
  expect(unexplained).toEqual([request]);
});

test("requests are counted by their status, and by what was going on when they were sent", () => {
  const stop: Happening = { kind: "stop", job: "cart", fromMs: 2000, toMs: 3000 };
  const { requests, statuses, calm, tolls } = verdictOf(
    [asked(), asked({ atMs: 2500, endMs: 3500 }), asked({ status: 201 }), asked({ status: 0, atMs: 3000 })],
    [stop],
  );
  expect(requests).toBe(4);
  expect(statuses).toEqual({ 0: 1, 200: 2, 201: 1 });
  expect(calm).toEqual({ requests: 3, failed: 1 });
  expect(tolls).toEqual([{ ...stop, requests: 1, failed: 0, explained: 0 }]);
});
