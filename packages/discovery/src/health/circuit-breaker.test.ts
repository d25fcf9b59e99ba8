import { beforeEach, expect, test } from "vitest";
import { upstreamPolicySchema } from "../policy.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";

const settings = upstreamPolicySchema.parse({}).circuitBreaker;

let nowMs: number;
let breaker: CircuitBreaker;
let changes: string[];

beforeEach(() => {
  nowMs = 0;
  changes = [];
  breaker = new CircuitBreaker(
    () => nowMs,
    (state, why) => changes.push(`${state}: ${why}`),
  );
  breaker.configure(settings);
});

function record(count: number, isFailure: boolean): void {
  for (let request = 0; request < count; request++) {
    breaker.record(isFailure);
  }
}

test("opens when half of the requests of the window fail, and then lets nothing through", () => {
  record(30, false);
  record(29, true);
  expect(breaker.allows()).toBe(true);
  record(1, true);
  expect(breaker.allows()).toBe(false);
  expect(changes).toEqual(["open: 30 of 60 requests failed"]);
});

test("stays closed while there are too few requests to judge by", () => {
  record(49, true);
  expect(breaker.state).toBe("closed");
  record(1, true);
  expect(breaker.state).toBe("open");
});

test("failures from before the window count no more, also after a pause without requests", () => {
  record(60, false);
  record(49, true);
  nowMs = 3_600_000;
  record(49, true);
  expect(breaker.state).toBe("closed");
  record(1, true);
  expect(changes).toEqual(["open: 50 of 50 requests failed"]);
});

test("after a while one request may try: its success closes the breaker", () => {
  record(50, true);
  nowMs = 1999;
  expect(breaker.allows()).toBe(false);
  nowMs = 2000;
  expect([breaker.allows(), breaker.allows()]).toEqual([true, false]);
  expect(breaker.state).toBe("half-open");
  breaker.record(false);
  expect(breaker.state).toBe("closed");
  record(49, true);
  expect(breaker.state).toBe("closed");
});

test("its failure opens it for as long again", () => {
  record(50, true);
  nowMs = 2000;
  breaker.allows();
  nowMs = 2500;
  breaker.record(true);
  expect(breaker.state).toBe("open");
  nowMs = 4499;
  expect(breaker.allows()).toBe(false);
  nowMs = 4500;
  expect(breaker.allows()).toBe(true);
  expect(changes.map((change) => change.split(":")[0])).toEqual(["open", "half-open", "open", "half-open"]);
});

test("a trial whose caller has gone away makes room for another one", () => {
  record(50, true);
  nowMs = 2000;
  expect(breaker.allows()).toBe(true);
  nowMs = 4000;
  expect([breaker.allows(), breaker.allows()]).toEqual([true, false]);
});

test("what began before it opened changes nothing, whenever it ends", () => {
  nowMs = 100;
  record(50, true);
  record(10, false);
  expect(breaker.state).toBe("open");
  nowMs = 2100;
  expect(breaker.allows()).toBe(true);
  breaker.record(false, 50);
  breaker.record(true, 100);
  expect(breaker.state).toBe("half-open");
  // The one that tries may have begun a little before it was let through.
  breaker.record(false, 2099);
  expect(breaker.state).toBe("closed");
  for (let straggler = 0; straggler < 50; straggler++) {
    breaker.record(true, 90);
  }
  expect(breaker.state).toBe("closed");
});

test("after a failed trial what began before that changes nothing", () => {
  record(50, true);
  nowMs = 2000;
  expect(breaker.allows()).toBe(true);
  nowMs = 4000;
  expect(breaker.allows()).toBe(true);
  nowMs = 4100;
  breaker.record(true, 4000);
  nowMs = 6100;
  expect(breaker.allows()).toBe(true);
  breaker.record(false, 2000);
  expect(breaker.state).toBe("half-open");
});

test("without settings it is closed, also one that was open", () => {
  record(50, true);
  breaker.configure(null);
  expect(breaker.allows()).toBe(true);
  record(1000, true);
  expect(breaker.state).toBe("closed");
});
