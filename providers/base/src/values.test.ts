import fc from "fast-check";
import { expect, test } from "vitest";
import { hasUnknown, outputSecrets, type Properties, same, unknown, unwrap, wrap } from "./values.ts";

/** Pulumi's mark of a special value, and its kinds (`sdk/go/common/resource/properties.go`). */
const mark = "4dabf18193072939515e22adb298388d";
const secret = (value: unknown) => ({ [mark]: "1b47061264138c4ac30d75fd1eb44270", value });
const output = (fields: object) => ({ [mark]: "d0e6a833031e9bbcd3f4e8bde6ca49a4", ...fields });

test("secrets are taken out, wherever they are, and remembered", () => {
  const { values, secrets } = unwrap({
    path: "nomad/jobs/mysql",
    items: { user: "root", password: secret("s3") as never },
    list: ["a", secret({ b: "c" }) as never],
  });
  expect(values).toEqual({
    path: "nomad/jobs/mysql",
    items: { user: "root", password: "s3" },
    list: ["a", { b: "c" }],
  });
  expect(secrets).toEqual([
    ["items", "password"],
    ["list", "1"],
  ]);
});

test("a secret inside a secret is remembered at both places", () => {
  const { values, secrets } = unwrap({ items: secret({ password: secret("s3") }) as never });
  expect(values).toEqual({ items: { password: "s3" } });
  expect(secrets).toEqual([["items"], ["items", "password"]]);
});

test("what was taken out is marked again at the same places", () => {
  const propertiesAndMarks = fc
    .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
    .chain((values) => fc.tuple(fc.constant(values as Properties), fc.subarray(Object.keys(values))));
  fc.assert(
    fc.property(propertiesAndMarks, ([values, names]) => {
      const paths = names.map((name) => [name]);
      const unwrapped = unwrap(wrap(values, paths));
      expect(same(unwrapped.values, values)).toBe(true);
      expect(new Set(unwrapped.secrets.map(([name]) => name))).toEqual(new Set(names));
    }),
    { seed: 1 },
  );
});

test("a mark where nothing is any more is passed over", () => {
  expect(wrap({ a: "1" }, [["b"], ["a", "c"]])).toEqual({ a: "1" });
});

test("an output is its value, secret if it says so, and unknown without one", () => {
  const { values, secrets } = unwrap({
    known: output({ value: 1 }) as never,
    hidden: output({ value: "s3", secret: true }) as never,
    later: output({}) as never,
  });
  expect(values).toEqual({ known: 1, hidden: "s3", later: unknown });
  expect(secrets).toEqual([["hidden"]]);
});

test("a reference to a resource is its id", () => {
  const reference = { [mark]: "5cf8f73096256a8f31e491e813e4eb8e", urn: "urn:pulumi:a", id: "b" };
  expect(unwrap({ it: reference }).values).toEqual({ it: "b" });
});

test("an asset is refused, by the name of the property", () => {
  const asset = { [mark]: "c44067f5952c0a294b673a41bacd8c17", text: "x" };
  expect(() => unwrap({ files: { site: asset } })).toThrow(/files\.site holds an asset/);
});

test("a property of the outputs is secret as a whole when any part of the input was", () => {
  expect(outputSecrets([["items", "password"], ["items", "user"], ["token"]], ["secretId"])).toEqual([
    ["items"],
    ["token"],
    ["secretId"],
  ]);
});

test("an unknown is found at any depth", () => {
  expect(hasUnknown({ a: [{ b: unknown }] })).toBe(true);
  expect(hasUnknown({ a: [{ b: "known" }], c: null })).toBe(false);
});

test("values are the same whatever the order of their keys, and a missing key equals undefined", () => {
  expect(same({ a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 })).toBe(true);
  expect(same({ a: 1 }, { a: 1, b: undefined as never })).toBe(true);
  expect(same({ a: 1 }, { a: 1, b: null })).toBe(false);
  expect(same([1, 2], [2, 1])).toBe(false);
  expect(same([], {})).toBe(false);
});
