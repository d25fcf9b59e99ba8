import { expect, test } from "vitest";
import { Flow } from "./flow.ts";
import { Gate } from "./gate.ts";

/** Longer than any test: nothing passes but what is hurried. */
const neverMs = 2 ** 30;

/** How many of those that try get through. */
async function passing(gate: Gate, count: number): Promise<number> {
  let passed = 0;
  const all = Array.from({ length: count }, () => gate.pass().then((isOpen) => (passed += isOpen ? 1 : 0)));
  await Promise.all(all.slice(0, 1));
  return passed;
}

test("orders that are hurried leave those for later kills alone", async () => {
  const gate = new Gate();
  const flow = new Flow(gate, 9, neverMs);
  flow.allow(3);
  flow.hurry(16);
  flow.hurry(16);
  expect(await passing(gate, 9)).toBe(3);
  flow.allow(6);
  flow.hurry(2);
  flow.end();
  expect(await gate.pass()).toBe(false);
});

test("once all are through, nobody waits any longer", async () => {
  const gate = new Gate();
  const flow = new Flow(gate, 2, neverMs);
  flow.allow(100);
  flow.hurry(5);
  expect([await gate.pass(), await gate.pass(), await gate.pass()]).toEqual([true, true, false]);
});
