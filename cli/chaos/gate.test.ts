import { expect, test } from "vitest";
import { Gate } from "./gate.ts";

test("lets through as many as it is opened for, in the order in which they came", async () => {
  const gate = new Gate(1);
  const passed: number[] = [];
  const all = [1, 2, 3].map((number) => gate.pass().then((isOpen) => isOpen && passed.push(number)));
  await all[0];
  expect(passed).toEqual([1]);
  gate.open(1);
  await all[1];
  expect(passed).toEqual([1, 2]);
  gate.open(1);
  await Promise.all(all);
  expect(passed).toEqual([1, 2, 3]);
});

test("closed, it turns away those who wait and those who come", async () => {
  const gate = new Gate();
  const waiting = gate.pass();
  gate.close();
  expect(await waiting).toBe(false);
  expect(await gate.pass()).toBe(false);
});

test("closed, it still lets through those for whom there is a place", async () => {
  const gate = new Gate(1);
  gate.close();
  expect([await gate.pass(), await gate.pass()]).toEqual([true, false]);
});
