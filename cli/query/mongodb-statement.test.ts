import { ObjectId } from "bson";
import { expect, test } from "vitest";
import { parseStatement, type Statement } from "./mongodb-statement.ts";

test("a call with relaxed spelling", () => {
  expect(parseStatement("students.find({marks: {$gt: 90}})")).toEqual({
    kind: "call",
    collection: "students",
    call: { name: "find", args: [{ marks: { $gt: 90 } }] },
    modifiers: [],
  });
});

test("the shell's db. in front, modifiers behind, a semicolon", () => {
  expect(parseStatement(" db.students.find({}, {name: 1}).sort({ name: -1 }) .limit(2); ")).toEqual({
    kind: "call",
    collection: "students",
    call: { name: "find", args: [{}, { name: 1 }] },
    modifiers: [
      { name: "sort", args: [{ name: -1 }] },
      { name: "limit", args: [2] },
    ],
  });
});

test("brackets and quotes within texts", () => {
  expect(parseStatement(`notes.countDocuments({text: "a) \\"b", other: '('})`)).toMatchObject({
    call: { name: "countDocuments", args: [{ text: 'a) "b', other: "(" }] },
  });
});

test("Extended JSON's types", () => {
  const { call } = parseStatement(
    'a.findOne({_id: {$oid: "656565656565656565656565"}, at: {$date: "2025-10-28T00:00:00Z"}})',
  ) as Extract<Statement, { kind: "call" }>;
  const document = call.args[0] as Record<string, unknown>;
  expect(document._id).toBeInstanceOf(ObjectId);
  expect(document.at).toEqual(new Date("2025-10-28T00:00:00Z"));
});

test("a command", () => {
  expect(parseStatement("{ping: 1}")).toEqual({ kind: "command", command: { ping: 1 } });
});

test.each([
  "students",
  "students.drop()",
  "students.find({a: process.exit()})",
  "students.find(function () { return 1 })",
  "students.find({})).limit(1)",
  "students.find({}",
  "students.find({}).toArray()",
  "students.constructor()",
  "students.__proto__()",
  "students.findOne({}).limit(1)",
  "students.find({}, {}, {})",
])("%s is refused", (statement) => {
  expect(() => parseStatement(statement)).toThrow(expect.objectContaining({ name: "StatementError" }));
});
