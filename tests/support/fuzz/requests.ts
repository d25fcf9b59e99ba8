import fc from "fast-check";
import { conforming, nasty, nastyText } from "./arbitraries.ts";
import type { ApiDocument, Operation } from "./operations.ts";

/** A request to be sent as it is. */
export interface FuzzRequest {
  method: string;
  /** Percent-encoded, with its query. */
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** Whether it is what the document asks for. */
  conforms: boolean;
}

/** Requests for an operation: most are what its document asks for, the others nearly so, or nothing like it. */
export function requestsFor(document: ApiDocument, operation: Operation): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(
    { weight: 3, arbitrary: requestOf(document, operation, "none") },
    { weight: 1, arbitrary: requestOf(document, operation, "parameters") },
    { weight: 2, arbitrary: requestOf(document, operation, "body") },
  );
}

function requestOf(
  document: ApiDocument,
  { method, path, parameters, body }: Operation,
  spoilt: "none" | "parameters" | "body",
): fc.Arbitrary<FuzzRequest> {
  const given = fc.record(
    Object.fromEntries(
      parameters.map(({ name, schema = {}, required, in: place }) => {
        const good = conforming(document, schema).map(String);
        const one = spoilt === "parameters" ? fc.oneof(good, nastyText) : good;
        return [name, required || place === "path" ? one : fc.option(one, { nil: undefined, freq: 2 })];
      }),
    ),
  );
  const content = body ? bodyFor(conforming(document, body), spoilt === "body") : fc.constant(undefined);
  return fc.tuple(given, content).map(([values, text]) => {
    const of = (place: string) =>
      parameters.flatMap(({ name, in: where }) => {
        const value = values[name];
        return where === place && value !== undefined ? [[name, value] as const] : [];
      });
    const query = of("query").map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
    const filled = of("path").reduce(
      (so, [name, value]) => so.replace(`{${name}}`, () => encoded(value) || "%20"),
      path,
    );
    return {
      method,
      path: query.length > 0 ? `${filled}?${query.join("&")}` : filled,
      headers: {
        ...Object.fromEntries(of("header").map(([name, value]) => [name, printable(value)])),
        ...(text === undefined ? {} : { "content-type": "application/json" }),
      },
      body: text,
      conforms: spoilt === "none",
    };
  });
}

function bodyFor(good: fc.Arbitrary<unknown>, spoilt: boolean): fc.Arbitrary<string> {
  const text = good.map((value) => JSON.stringify(value));
  return spoilt
    ? fc.oneof(
        nasty.map((value) => JSON.stringify(value)),
        fc
          .tuple(good, nasty, fc.nat())
          .map(([value, bad, at]) => JSON.stringify(withOneReplaced(value, bad, at))),
        text.map((json) => json.slice(0, -1)),
        fc.constantFrom(
          "",
          "{",
          "null",
          '{"a":1e999}',
          '{"__proto__":{"admin":true}}',
          `"${"x".repeat(100_000)}"`,
        ),
      )
    : text;
}

/** The object with one of its members replaced. */
function withOneReplaced(value: unknown, bad: unknown, at: number): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return bad;
  }
  const names = Object.keys(value);
  const name = names[at % Math.max(1, names.length)] ?? "extra";
  return { ...value, [name]: bad };
}

/** Percent-encodes any text: a lone surrogate too, which `encodeURIComponent` refuses, by the bytes it would have. */
function encoded(text: string): string {
  // A dot segment would be resolved by the client before it is sent.
  return /^\.+$/.test(text)
    ? text.replaceAll(".", "%2E")
    : text.isWellFormed()
      ? encodeURIComponent(text)
      : "%ED%A0%80";
}

/** What HTTP allows in the value of a header (RFC 9110 §5.5). */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7E]/g, "?").trim();
}
