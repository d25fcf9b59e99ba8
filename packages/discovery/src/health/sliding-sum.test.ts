import fc from "fast-check";
import { expect, test } from "vitest";
import { SlidingSum } from "./sliding-sum.ts";

test("counts all of nine tenths of the window, and nothing that is older than the window", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { maxLength: 200 }), fc.nat(30_000), (pauses, afterMs) => {
      const sum = new SlidingSum(10_000);
      const times: number[] = [];
      let nowMs = 0;
      for (const pause of pauses) {
        nowMs += pause;
        times.push(nowMs);
        sum.add(nowMs);
      }
      nowMs += afterMs;
      const since = (ms: number) => times.filter((time) => time > nowMs - ms).length;
      expect(sum.at(nowMs)).toBeGreaterThanOrEqual(since(9000));
      expect(sum.at(nowMs)).toBeLessThanOrEqual(since(10_000));
    }),
  );
});
