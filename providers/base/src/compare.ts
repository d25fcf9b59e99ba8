import type { Change } from "./provider.ts";
import { type Properties, same, type Value } from "./values.ts";

/**
 * The changes from one set of inputs to another, each at the deepest path where they differ.
 *
 * @param replaceOn names of properties whose change replaces the resource
 */
export function compare(
  oldInputs: Properties,
  newInputs: Properties,
  replaceOn: readonly string[] = [],
): Record<string, Change> {
  const changes: Record<string, Change> = {};
  for (const name of new Set([...Object.keys(oldInputs), ...Object.keys(newInputs)])) {
    const suffix = replaceOn.includes(name) ? "-replace" : "";
    compareAt(name, oldInputs[name], newInputs[name], (path, kind) => {
      changes[path] = `${kind}${suffix}` as Change;
    });
  }
  return changes;
}

function compareAt(
  path: string,
  one: Value | undefined,
  other: Value | undefined,
  report: (path: string, kind: "add" | "delete" | "update") => void,
): void {
  if (same(one, other)) {
    return;
  }
  if (one === undefined || other === undefined) {
    report(path, one === undefined ? "add" : "delete");
    return;
  }
  if (isObject(one) && isObject(other)) {
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      compareAt(`${path}${step(key)}`, one[key], other[key], report);
    }
    return;
  }
  if (Array.isArray(one) && Array.isArray(other)) {
    for (let index = 0; index < Math.max(one.length, other.length); index++) {
      compareAt(`${path}[${index}]`, one[index], other[index], report);
    }
    return;
  }
  report(path, "update");
}

/** A key as a step of a property path: `.name`, or `["a.b"]` where a dot would mislead. */
export function step(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function isObject(value: Value): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
