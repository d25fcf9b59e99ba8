import { expect, test } from "vitest";
import { mischiefs, type Planned, planMischief } from "./plan.ts";

const jobs = ["gateway", "product", "cart"];

function first(count: number, seed: number): Planned[] {
  const plan = planMischief(jobs, seed);
  return Array.from({ length: count }, () => plan.next().value);
}

test("every kind comes once before one comes again", () => {
  const kinds = first(30, 7).map(({ kind }) => kind);
  for (let round = 0; round < 10; round++) {
    expect(kinds.slice(3 * round, 3 * round + 3).toSorted()).toEqual(mischiefs.toSorted());
  }
});

test("each kind comes to every job before it comes to one again", () => {
  for (const kind of mischiefs) {
    const struck = first(18, 3).filter((planned) => planned.kind === kind);
    expect(
      struck
        .slice(0, 3)
        .map(({ job }) => job)
        .toSorted(),
    ).toEqual(jobs.toSorted());
    expect(
      struck
        .slice(3)
        .map(({ job }) => job)
        .toSorted(),
    ).toEqual(jobs.toSorted());
  }
});

test("the same seed gives the same plan, another one another", () => {
  expect(first(20, 5)).toEqual(first(20, 5));
  expect(first(20, 5)).not.toEqual(first(20, 6));
});
