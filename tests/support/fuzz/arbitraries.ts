import fc from "fast-check";
import { type ApiDocument, resolved, type Schema } from "./operations.ts";

const maxDepth = 5;

/** Values that a schema allows. */
export function conforming(document: ApiDocument, given: Schema, depth = 0): fc.Arbitrary<unknown> {
  const schema = resolved(document, given);
  const again = (inner: Schema) => conforming(document, inner, depth + 1);
  if (schema.const !== undefined) {
    return fc.constant(schema.const);
  }
  if (schema.enum) {
    return fc.constantFrom(...schema.enum);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    return fc.oneof(...choices.map(again));
  }
  if (schema.allOf) {
    return fc.tuple(...schema.allOf.map(again)).map((parts) => Object.assign({}, ...parts));
  }
  const types = [schema.type ?? []].flat();
  return types.length === 0 || depth > maxDepth
    ? fc.jsonValue({ maxDepth: 2 })
    : fc.oneof(...types.map((type) => ofType(type, schema, again)));
}

function ofType(type: string, schema: Schema, again: (inner: Schema) => fc.Arbitrary<unknown>) {
  switch (type) {
    case "string":
      return text(schema);
    case "integer":
      return fc.integer({ min: lowest(schema), max: highest(schema) });
    case "number":
      return fc.double({
        min: lowest(schema),
        max: highest(schema),
        noNaN: true,
        noDefaultInfinity: true,
      });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(again(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, (schema.minItems ?? 0) + 4),
      });
    default:
      return object(schema, again);
  }
}

function object(schema: Schema, again: (inner: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, again(inner)]),
  );
  const known = fc.record(properties, { requiredKeys: schema.required ?? [] });
  const { additionalProperties } = schema;
  return additionalProperties
    ? fc
        .tuple(
          fc.dictionary(
            fc.stringMatching(/^[a-z]{1,8}$/),
            again(typeof additionalProperties === "object" ? additionalProperties : {}),
            { maxKeys: 3 },
          ),
          known,
        )
        .map(([extra, own]) => ({ ...extra, ...own }))
    : known;
}

function text(schema: Schema): fc.Arbitrary<string> {
  const { minLength = 0, maxLength = minLength + 20, format, pattern } = schema;
  switch (format) {
    case "email":
      return fc.stringMatching(/^[a-z]{1,10}@[a-z]{1,10}\.org$/);
    case "uuid":
      return fc.uuid();
    case "date":
      return instant().map((date) => date.toISOString().slice(0, 10));
    case "date-time":
      return instant().map((date) => date.toISOString());
    default:
      return pattern === undefined
        ? fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 40), unit: "grapheme" })
        : fc.stringMatching(new RegExp(pattern, "u"));
  }
}

function instant() {
  return fc.date({ min: new Date("2020-01-01"), max: new Date("2030-01-01"), noInvalidDate: true });
}

function lowest({ minimum, exclusiveMinimum }: Schema): number {
  return minimum ?? (exclusiveMinimum === undefined ? -1_000_000 : exclusiveMinimum + 1);
}

function highest({ maximum, exclusiveMaximum }: Schema): number {
  return maximum ?? (exclusiveMaximum === undefined ? 1_000_000 : exclusiveMaximum - 1);
}

/** Text that has broken programs before: other languages' syntax, what encodings can't hold, what is too long. */
const nastyTexts = [
  "",
  " ",
  "' OR '1'='1",
  "'; DROP TABLE users; --",
  "1; TRUNCATE TABLE events",
  '"}) MATCH (n) DETACH DELETE n //',
  "') ALLOW FILTERING; --",
  "$where",
  "$gt",
  "a.$[].b",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "%00",
  "\u0000",
  "\uD800",
  "\uFFFF",
  "\u202Eabc",
  "👩‍👩‍👧‍👦".repeat(20),
  "\r\nset-cookie: a=b",
  "x".repeat(10_000),
  "NaN",
  "Infinity",
  "-0",
  "1e400",
  "9007199254740993",
  "18446744073709551616",
  "0x10",
  "null",
  "[object Object]",
];

/** Values that no schema asks for. */
export const nasty: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...nastyTexts),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(-1, 0, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, -1e308, 5e-324),
  fc.constantFrom(
    null,
    true,
    false,
    [],
    {},
    [[[[[[]]]]]],
    { $gt: "" },
    { $where: "1" },
    { a: { $ne: null } },
  ),
  fc.constant(0).map(() => nested(2000)),
  fc.jsonValue({ maxDepth: 4 }),
);

/** Text for a path, a query or a header. */
export const nastyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...nastyTexts),
  fc.string({ unit: "binary", maxLength: 60 }),
);

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) {
    value = level % 2 ? [value] : { a: value };
  }
  return value;
}
