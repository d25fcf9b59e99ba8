import { isIP } from "node:net";
import { type UpstreamPolicy, upstreamPolicySchema } from "@lab/discovery";
import { z } from "zod";

const network = z.string().refine(isNetwork, "must be an address or a network, such as 10.0.0.0/8");

/** How many requests pass in a window. */
function quota(limit: number) {
  return z
    .strictObject({
      limit: z.number().int().min(1).max(100_000_000).default(limit),
      windowSeconds: z.number().int().min(1).max(86_400).default(60),
    })
    .prefault({});
}

const whenDown = z.enum(["open", "closed"]);

const rateLimit = z.strictObject({
  /** Of requests without a token, by the address they come from. */
  address: quota(100),
  /** Of requests with a token, by whose it is. */
  identity: quota(12_000),
  /** What becomes of a request above the limit: 429 at once, or it waits for the next window where that is near. */
  action: z.enum(["block", "delay"]).default("block"),
  /** The longest that a request waits. */
  maxDelayMs: z.number().int().min(0).max(60_000).default(5000),
  /** How many requests wait at most. */
  maxWaiting: z.number().int().min(0).max(100_000).default(1000),
  /** What passes while Redis is down: everything, or nothing. */
  whenDown: whenDown.default("open"),
  /** Whose requests without a token are not counted. The lab's own commands come from this address. */
  exempt: z.array(network).default(["127.0.0.2"]),
});

const cache = z.strictObject({
  maxBytes: z.number().int().min(0).max(1_073_741_824).default(33_554_432),
  /** A larger answer passes, and is not kept. */
  maxEntryBytes: z.number().int().min(0).max(67_108_864).default(1_048_576),
});

const name = z.string().regex(/^[a-z][a-z0-9-]*$/, "must be the name of a service");

/** How the gateway treats requests. Every member has a default, so `{}` is complete. */
export const policiesSchema = z.strictObject({
  /** Of all services, where `services` says nothing else. */
  upstream: z.record(z.string(), z.unknown()).default({}),
  /** By service, laid over `upstream`. */
  services: z.record(name, z.record(z.string(), z.unknown())).default({}),
  rateLimit: rateLimit.prefault({}),
  cache: cache.prefault({}),
  /** Proxies whose `Forwarded` and `X-Forwarded-For` are believed. */
  trustedProxies: z.array(network).default([]),
  /** A larger body is refused with 413. */
  maxBodyBytes: z.number().int().min(0).max(1_073_741_824).default(1_048_576),
  /** What becomes of tokens while nobody knows which were logged out: taken, or refused with 503. */
  revocation: z.strictObject({ whenDown: whenDown.default("open") }).prefault({}),
});

/** As they are written: in `lab:gateway`, and in Consul. */
type Written = Record<string, unknown>;

/** As they are used. */
export interface Policies extends Omit<z.infer<typeof policiesSchema>, "upstream" | "services"> {
  /** By service: every service has one. */
  upstreams: Readonly<Record<string, UpstreamPolicy>>;
}

/** Policies that can't be used; the message names each mistake. */
export class PoliciesError extends Error {
  override name = "PoliciesError";
}

/**
 * Lays policies over others, member by member, and checks the result.
 *
 * @param layers as JSON data, the strongest last
 * @param services the names of those that there are
 * @throws PoliciesError
 */
export function policiesFrom(layers: readonly unknown[], services: readonly string[]): Policies {
  const written = layers.reduce<unknown>(merged, {});
  const parsed = policiesSchema.safeParse(written);
  if (!parsed.success) {
    throw new PoliciesError(described(parsed.error));
  }
  const { upstream, services: own, ...rest } = parsed.data;
  const unknown = Object.keys(own).find((service) => !services.includes(service));
  if (unknown !== undefined) {
    throw new PoliciesError(`services.${unknown}: there is no such service, only ${services.join(", ")}`);
  }
  const upstreams = Object.fromEntries(
    services.map((service) => {
      const policy = upstreamPolicySchema.safeParse(merged(upstream, own[service] ?? {}));
      if (!policy.success) {
        throw new PoliciesError(described(policy.error, own[service] ? `services.${service}` : "upstream"));
      }
      return [service, policy.data];
    }),
  );
  return { ...rest, upstreams };
}

/** A layer laid over another: objects member by member, all else as a whole. */
function merged(below: unknown, above: unknown): unknown {
  if (!isObject(below) || !isObject(above)) {
    return above;
  }
  return Object.fromEntries(
    [...new Set([...Object.keys(below), ...Object.keys(above)])].map((key) => [
      key,
      key in above ? (key in below ? merged(below[key], above[key]) : above[key]) : below[key],
    ]),
  );
}

function isObject(value: unknown): value is Written {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function described(error: z.ZodError, prefix = ""): string {
  return error.issues
    .map(({ path, message }) => `${[prefix, ...path].filter((part) => part !== "").join(".")}: ${message}`)
    .join("; ");
}

function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  const isLength =
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
  return family !== 0 && isLength && rest.length === 0;
}
