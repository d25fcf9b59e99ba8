import { expect, test } from "vitest";
import { changed, unchanged } from "./job-change.ts";
import type { RegisteredJob } from "./nomad-jobs.ts";

const job: RegisteredJob = {
  specification: {
    ID: "monolith",
    Version: 3,
    Meta: null,
    TaskGroups: [{ Name: "service", Count: 0, Update: { Canary: 0, AutoPromote: false, MaxParallel: 1 } }],
  },
  submission: { Source: "job …" },
};

test("a changed job has an instance, which is exchanged for a new one before it ends", () => {
  const { specification } = changed(job, "now");
  expect(specification.TaskGroups).toMatchObject([
    { Count: 1, Update: { Canary: 1, AutoPromote: true, MaxParallel: 1 } },
  ]);
  expect(specification.Meta).not.toEqual(changed(job, "later").specification.Meta);
});

test("the job itself stays as it is, and loses what a comparison that was killed has left", () => {
  const killed = changed(job, "before");
  expect(unchanged(killed).specification.Meta).toBeNull();
  expect(unchanged(job)).toEqual(job);
});
