import { expect, test } from "vitest";
import { Deadlines, type Timed } from "./deadlines.ts";

/** Resolves with when it was called. */
function timed(deadlines: Deadlines, inMs: number): { it: Timed; passed: Promise<number> } {
  const { promise, resolve } = Promise.withResolvers<number>();
  const it: Timed = {
    deadlineMs: performance.now() + inMs,
    place: -1,
    onDeadline() {
      deadlines.drop(it);
      resolve(performance.now());
    },
  };
  deadlines.add(it);
  return { it, passed: promise };
}

test("who is late is told, never too early, in the order of the deadlines", async () => {
  const deadlines = new Deadlines();
  const late = timed(deadlines, 120);
  const early = timed(deadlines, 10);
  const [lateMs, earlyMs] = await Promise.all([late.passed, early.passed]);
  expect(earlyMs).toBeGreaterThanOrEqual(early.it.deadlineMs);
  expect(lateMs).toBeGreaterThanOrEqual(late.it.deadlineMs);
  expect(earlyMs).toBeLessThan(lateMs);
});

test("a deadline that moved counts where it is, and a dropped one not at all", async () => {
  const deadlines = new Deadlines();
  let told = 0;
  const dropped: Timed = {
    deadlineMs: 0,
    place: -1,
    onDeadline: () => {
      told += 1;
    },
  };
  deadlines.add(dropped);
  deadlines.drop(dropped);
  const moved = timed(deadlines, 10);
  moved.it.deadlineMs += 150;
  const movedTo = moved.it.deadlineMs;
  expect(await moved.passed).toBeGreaterThanOrEqual(movedTo);
  expect(told).toBe(0);
});

test("it works again after there was nothing to watch", async () => {
  const deadlines = new Deadlines();
  await timed(deadlines, 1).passed;
  const idle = timed(new Deadlines(), 100);
  await idle.passed;
  await timed(deadlines, 1).passed;
});
