import { expect, test } from "vitest";
import { filterOf } from "./filter.ts";

test("text matches text, and what it can mean", () => {
  expect(filterOf({ color: "red", weight: "2", organic: "true" })).toEqual({
    color: { $in: ["red"] },
    weight: { $in: ["2", 2] },
    organic: { $in: ["true", true] },
  });
});

test("a field inside another", () => {
  expect(filterOf({ "size.eu": "42" })).toEqual({ "size.eu": { $in: ["42", 42] } });
});

test.each(["$where", "a.$gt", "a b", "", ".a"])("%j is not a field", (name) => {
  expect(() => filterOf({ [name]: "1" })).toThrow("not the name of a field");
});
