import fc from "fast-check";
import { expect, test } from "vitest";
import { upstreamPolicySchema } from "../policy.ts";
import { OutlierDetector, OutlierRecord } from "./outlier-detector.ts";

const defaults = upstreamPolicySchema.parse({}).passiveHealth;

/** Ejects a record now, and gives how long for; it is back afterwards. */
function ejectionMs(detector: OutlierDetector<OutlierRecord>, record: OutlierRecord, nowMs: number): number {
  while (!detector.note(record, true, nowMs, nowMs)) {}
  const forMs = record.ejectedUntilMs - nowMs;
  detector.returnDue(record.ejectedUntilMs);
  return forMs;
}

function detectorOf(listed: number, settings: object = {}): OutlierDetector<OutlierRecord> {
  const detector = new OutlierDetector<OutlierRecord>({ ...defaults, ...settings });
  detector.list(listed, 0);
  return detector;
}

test("successes in between keep an instance in", () => {
  const detector = detectorOf(2);
  const record = new OutlierRecord();
  for (let turn = 0; turn < 20; turn++) {
    expect(detector.note(record, turn % 3 !== 0, turn, turn)).toBe(false);
  }
});

test("each ejection in a row lasts twice as long, up to the maximum", () => {
  const detector = detectorOf(2);
  const record = new OutlierRecord();
  const times = Array.from({ length: 6 }, () =>
    ejectionMs(detector, record, Math.max(0, record.returnedAtMs)),
  );
  expect(times).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
});

test("a healthy while shortens the next ejection again", () => {
  const detector = detectorOf(2);
  const record = new OutlierRecord();
  for (let turn = 0; turn < 3; turn++) {
    ejectionMs(detector, record, Math.max(0, record.returnedAtMs));
  }
  expect(ejectionMs(detector, record, record.returnedAtMs + 10_000)).toBe(20_000);
  expect(ejectionMs(detector, record, record.returnedAtMs + 1_000_000)).toBe(5000);
});

test("probation ends with as many successes as failures eject", () => {
  const detector = detectorOf(2);
  const record = new OutlierRecord();
  ejectionMs(detector, record, 0);
  const nowMs = record.returnedAtMs;
  for (let success = 0; success < defaults.consecutiveFailures; success++) {
    detector.note(record, false, nowMs, nowMs);
  }
  expect(detector.note(record, true, nowMs, nowMs)).toBe(false);
});

test("when the list shrinks those return whose time would be over first", () => {
  const detector = detectorOf(10);
  const records = Array.from({ length: 7 }, () => new OutlierRecord());
  for (const [turn, record] of records.entries()) {
    while (!detector.note(record, true, turn, turn)) {}
  }
  expect(detector.list(7, 10)).toEqual(records.slice(0, 3));
  detector.forget(records[6] as OutlierRecord);
  expect(detector.list(6, 10)).toEqual([]);
  expect(detector.nextReturnMs).toBe(5003);
});

test("never more than the share is ejected, none longer than the maximum, and all come back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.record({ which: fc.nat(19), isFailure: fc.boolean(), laterMs: fc.nat(2000) }), {
        maxLength: 500,
      }),
      (size, maxEjectedShare, steps) => {
        const detector = detectorOf(size, { maxEjectedShare });
        const records = Array.from({ length: size }, () => new OutlierRecord());
        let nowMs = 0;
        for (const { which, isFailure, laterMs } of steps) {
          nowMs += laterMs;
          for (const record of detector.returnDue(nowMs)) {
            expect(record.ejectedUntilMs).toBe(0);
          }
          detector.note(records[which % size] as OutlierRecord, isFailure, nowMs, nowMs);
          const out = records.filter(({ ejectedUntilMs }) => ejectedUntilMs !== 0);
          expect(new Set(detector.ejected)).toEqual(new Set(out));
          expect(out.length).toBeLessThanOrEqual(maxEjectedShare * size);
          expect(Math.min(...out.map(({ ejectedUntilMs }) => ejectedUntilMs))).toBe(detector.nextReturnMs);
          for (const { ejectedUntilMs } of out) {
            expect(ejectedUntilMs).toBeGreaterThan(nowMs);
            expect(ejectedUntilMs - nowMs).toBeLessThanOrEqual(defaults.maxEjectionMs);
          }
        }
        detector.returnDue(nowMs + defaults.maxEjectionMs);
        expect(detector.ejected).toEqual([]);
      },
    ),
  );
});
