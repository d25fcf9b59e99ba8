import { expect, test } from "vitest";
import { problemWith } from "./fields.ts";

test.each([
  { name: "Rain jacket", sizes: ["S", "M"], size: { eu: 42 }, waterproof: true, worn: null },
  { "tail-meters": -1.5, parts: [{ name: "tail" }] },
  { note: "{ $gt: '' }" },
])("%j can be kept", (document) => {
  expect(problemWith(document)).toBeUndefined();
});

test.each([
  ['{ "$where": "1" }', "Names"],
  ['{ "size": { "$gt": "" } }', "Names"],
  ['{ "a": [{ "b.c": 1 }] }', "Names"],
  ['{ "": 1 }', "Names"],
  ['{ "__proto__": { "stock": 9 } }', "Names"],
  ['{ "a": [[1]] }', "lists"],
  ['{ "a": 1e999 }', "number"],
  [`{ "a": "${"x".repeat(5001)}" }`, "text"],
  [`{ "a": [${Array(501).fill(1)}] }`, "list"],
])("%s can't", (json, why) => {
  expect(problemWith(JSON.parse(json))).toContain(why);
});
