import { expect, test } from "vitest";
import { compare } from "./compare.ts";

test("equal inputs differ nowhere", () => {
  expect(compare({ a: { b: [1] }, c: "x" }, { c: "x", a: { b: [1] } })).toEqual({});
});

test("each change stands at the deepest path that differs", () => {
  expect(
    compare(
      { variables: { port: "1", gone: "x" }, args: ["a", "b"] },
      { variables: { port: "2", new: "y" }, args: ["a", "c", "d"] },
    ),
  ).toEqual({
    "variables.port": "update",
    "variables.gone": "delete",
    "variables.new": "add",
    "args[1]": "update",
    "args[2]": "add",
  });
});

test("a key with a dot in it does not look like a path", () => {
  expect(compare({ env: { "a.b": "1" } }, { env: { "a.b": "2" } })).toEqual({ 'env["a.b"]': "update" });
});

test("a change below a property that replaces is a replacement", () => {
  expect(compare({ path: "a", items: { x: "1" } }, { path: "b", items: {} }, ["path", "items"])).toEqual({
    path: "update-replace",
    "items.x": "delete-replace",
  });
});

test("a value that changes its type is one change", () => {
  expect(compare({ a: ["x"] }, { a: { 0: "x" } })).toEqual({ a: "update" });
  expect(compare({ a: null }, { a: { b: 1 } })).toEqual({ a: "update" });
});
