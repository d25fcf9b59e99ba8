import { expect, test } from "vitest";
import { explainPlacement } from "./deployment.ts";

test("a group without a node is told what is missing", () => {
  expect(
    explainPlacement("web", {
      NodesEvaluated: 1,
      DimensionExhausted: { memory: 1, cpu: 1 },
      ConstraintFiltered: { "${attr.kernel.name} = darwin": 1 },
    }),
  ).toBe(
    "No node can run group web: not enough memory, not enough cpu, no node with ${attr.kernel.name} = darwin.",
  );
});

test("no node at all is told as such", () => {
  expect(explainPlacement("web", { NodesEvaluated: 0 })).toMatch(/there is no node that is ready/);
  expect(explainPlacement("web", { NodesEvaluated: 3 })).toMatch(/3 nodes were looked at/);
});
