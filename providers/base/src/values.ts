/** Property values as Pulumi's protocol carries them, and as handlers see them. */

/** A JSON value. */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

/** Properties of a resource by their names. */
export type Properties = Record<string, Value>;

/** Stands for a value that is known only after the update (`pulumi/sdk/go/common/resource/plugin/rpc.go`). */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const resourceSignature = "5cf8f73096256a8f31e491e813e4eb8e";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** Where secrets were, as paths from the root: `["items", "password"]`. */
export type SecretPaths = string[][];

/** What the engine sent, with the secrets taken out of their wrappers and remembered by path. */
export interface Unwrapped {
  values: Properties;
  secrets: SecretPaths;
}

/** Takes secrets, outputs and resource references out of their wrappers. Assets and archives are refused. */
export function unwrap(wire: Properties): Unwrapped {
  const secrets: SecretPaths = [];
  const values = unwrapAt(wire, [], secrets) as Properties;
  return { values, secrets };
}

function unwrapAt(value: Value, path: string[], secrets: SecretPaths): Value {
  if (Array.isArray(value)) {
    return value.map((element, index) => unwrapAt(element, [...path, String(index)], secrets));
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  switch (value[signatureKey]) {
    case undefined:
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, unwrapAt(inner, [...path, key], secrets)]),
      );
    case secretSignature:
      secrets.push(path);
      return unwrapAt(value.value ?? null, path, secrets);
    case outputSignature:
      if (value.secret === true) {
        secrets.push(path);
      }
      return "value" in value ? unwrapAt(value.value ?? null, path, secrets) : unknown;
    case resourceSignature:
      return unwrapAt(value.id ?? value.urn ?? null, path, secrets);
    default:
      throw new Error(`${path.join(".")} holds an asset or archive, which this provider doesn't take.`);
  }
}

/** Wraps the values at the paths as secrets again; a path that no longer exists is passed over. */
export function wrap(values: Properties, secrets: SecretPaths): Properties {
  const marks = new Set(secrets.map((path) => JSON.stringify(path)));
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, wrapAt(value, [key], marks)]),
  );
}

function wrapAt(value: Value, path: string[], marks: Set<string>): Value {
  if (marks.has(JSON.stringify(path))) {
    return { [signatureKey]: secretSignature, value };
  }
  if (Array.isArray(value)) {
    return value.map((element, index) => wrapAt(element, [...path, String(index)], marks));
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, wrapAt(inner, [...path, key], marks)]),
  );
}

/**
 * The paths to mark in outputs: each whole property that held a secret anywhere, because a handler may have
 * rearranged what is inside, and the properties that are always secret.
 */
export function outputSecrets(secrets: SecretPaths, always: readonly string[] = []): SecretPaths {
  return [...new Set([...secrets.map(([property]) => property ?? ""), ...always])].map((name) => [name]);
}

/** Whether the value, or anything in it, is known only after the update. */
export function hasUnknown(value: Value | undefined): boolean {
  if (value === unknown) {
    return true;
  }
  return (
    typeof value === "object" && value !== null && Object.values(value).some((inner) => hasUnknown(inner))
  );
}

/** Whether two values are the same, whatever the order of their keys; a missing key equals `undefined`. */
export function same(one: Value | undefined, other: Value | undefined): boolean {
  if (one === other) {
    return true;
  }
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return false;
  }
  if (Array.isArray(one) !== Array.isArray(other)) {
    return false;
  }
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].every((key) => same((one as Properties)[key], (other as Properties)[key]));
}
