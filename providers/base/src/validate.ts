import type { ZodType } from "zod";
import { step } from "./compare.ts";
import { hasUnknown, type Properties, unknown, type Value } from "./values.ts";

/** What is wrong with one property. */
export interface Failure {
  property: string;
  reason: string;
}

/** Either the checked values, with defaults, or what is wrong with them. */
export type Validation<T> = { values: T; failures: [] } | { values: undefined; failures: Failure[] };

/**
 * Checks properties against a schema. A value that is known only after the update passes, and then the defaults wait
 * for the next check.
 */
export function validate<T>(schema: ZodType<T>, properties: Properties): Validation<T> {
  const parsed = schema.safeParse(properties);
  if (parsed.success) {
    return { values: parsed.data, failures: [] };
  }
  const failures = parsed.error.issues.filter((issue) => !isUnknownAt(properties, issue.path));
  if (failures.length === 0 && hasUnknown(properties)) {
    return { values: properties as T, failures: [] };
  }
  return {
    values: undefined,
    failures: failures.map((issue) => ({
      property: issue.path.map((key, index) => pathStep(key, index === 0)).join(""),
      reason: issue.message,
    })),
  };
}

function isUnknownAt(properties: Properties, path: readonly PropertyKey[]): boolean {
  let value: Value | undefined = properties;
  for (const key of path) {
    if (value === unknown) {
      return true;
    }
    value = (value as Properties | undefined)?.[String(key)];
  }
  return value === unknown;
}

function pathStep(key: PropertyKey, first: boolean): string {
  if (typeof key === "number") {
    return `[${key}]`;
  }
  return first ? String(key) : step(String(key));
}
