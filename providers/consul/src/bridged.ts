import { type Change, compare, type Difference, type Properties, type Value } from "@lab/provider-base";
import { z } from "zod";

/**
 * The inputs that the stand-in has of a type, with what the engine keeps among them. Others of the published provider's are
 * refused: to pass one over could open what it was to close.
 */
export function inputsOf<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(
    { ...shape, __defaults: z.array(z.string()).optional() },
    {
      error: (issue) =>
        issue.code === "unrecognized_keys"
          ? `The lab's stand-in for the Consul provider has no ${issue.keys.join(", ")}; the published plugin may.`
          : undefined,
    },
  );
}

/**
 * The inputs as the published provider keeps them: each object with the names of the properties that were filled in. Maps, whose
 * keys are the user's, have none.
 *
 * @param maps the properties that are maps
 */
export function withDefaults(news: Properties, maps: readonly string[] = []): Properties {
  return {
    __defaults: [],
    ...Object.fromEntries(
      Object.entries(news)
        .filter(([name, value]) => name !== "__defaults" && value !== null)
        .map(([name, value]) => [name, maps.includes(name) ? value : nested(value)]),
    ),
  };
}

function nested(value: Value): Value {
  if (Array.isArray(value)) {
    return value.map(nested);
  }
  return typeof value === "object" && value !== null ? withDefaults(value) : value;
}

/** The inputs without what only the engine reads. */
export function plain(value: Value): Value {
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "__defaults")
      .map(([name, inner]) => [name, plain(inner)]),
  );
}

/** What the published provider expects of the outputs before it has acted. */
export function expected(inputs: Properties, olds: Properties = {}): Properties {
  return { ...olds, ...(plain(inputs) as Properties) };
}

/**
 * The changes as the published provider reports them: what the inputs name, against the state.
 *
 * @param stables the properties that never change in place, in its order; those that do change are left out
 * @param normalize brings a state and inputs that mean the same into the same form
 */
export function difference(
  olds: Properties,
  news: Properties,
  replaceOn: readonly string[],
  stables: readonly string[],
  normalize: (properties: Properties) => Properties = (properties) => properties,
): Difference {
  const wanted = normalize(plain(news) as Properties);
  const had = normalize(
    Object.fromEntries(Object.entries(plain(olds) as Properties).filter(([name]) => name in wanted)),
  );
  const changes: Record<string, Change> = {};
  for (const [path, change] of Object.entries(compare(had, wanted, replaceOn))) {
    changes[path] = change;
    // A key that comes or goes is a change of its map as well.
    const map = path.split(".")[0] as string;
    if (path !== map && (change === "add" || change === "delete")) {
      changes[map] = "update";
    }
  }
  const changed = new Set(Object.keys(changes).map((path) => path.split(/[.[]/)[0]));
  return { changes, stables: stables.filter((name) => !changed.has(name)) };
}
