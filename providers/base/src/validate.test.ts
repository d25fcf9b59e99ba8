import { expect, test } from "vitest";
import { z } from "zod";
import { validate } from "./validate.ts";
import { unknown } from "./values.ts";

const schema = z.strictObject({
  name: z.string().min(1),
  count: z.number().default(1),
  ready: z.strictObject({ ports: z.array(z.number()) }).optional(),
});

test("defaults are filled in", () => {
  expect(validate(schema, { name: "a" })).toEqual({ values: { name: "a", count: 1 }, failures: [] });
});

test("each failure names its property", () => {
  const { values, failures } = validate(schema, { name: 1, ready: { ports: [1, "x"] } });
  expect(values).toBeUndefined();
  expect(failures.map(({ property }) => property)).toEqual(["name", "ready.ports[1]"]);
  expect(failures[0]?.reason).toMatch(/string/);
});

test("a misspelled property is refused by its name", () => {
  expect(validate(schema, { name: "a", cuont: 2 }).failures).toEqual([
    { property: "", reason: expect.stringContaining("cuont") },
  ]);
});

test("what is known only after the update passes, at any depth", () => {
  const news = { name: unknown, ready: { ports: [unknown] } };
  expect(validate(schema, news)).toEqual({ values: news, failures: [] });
  expect(validate(schema, { name: "a", ready: unknown }).failures).toEqual([]);
});

test("an unknown does not hide what is wrong beside it", () => {
  const { failures } = validate(schema, { name: unknown, count: "many" });
  expect(failures.map(({ property }) => property)).toEqual(["count"]);
});
