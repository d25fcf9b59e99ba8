import { z } from "zod";
import { type PortName, type Ports, portNames, portSpan, portsOf } from "./ports.ts";
import { rowOf, type ServiceName, serviceNames } from "./shop/services.ts";

/** A name that Consul and Nomad both take for datacenters, regions and nodes. */
const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be lower-case letters, digits and dashes");

const port = z.coerce.number().int().min(1024).max(65_535);

const rate = z.number().min(0).max(1);

const seconds = z.coerce.number({ error: "must be a number of seconds" }).int().positive();

const settings = z.strictObject({
  substrate: z
    .enum(["embedded"], { error: 'must be "embedded"; "docker" and "remote" are not built yet' })
    .default("embedded"),
  portBase: z.coerce
    .number({ error: "must be a port number" })
    .int()
    .min(1024)
    .max(65_535 - portSpan)
    .default(18_000),
  ports: z.partialRecord(z.enum(portNames as [PortName, ...PortName[]]), port).default({}),
  datacenter: name.optional(),
  region: name.default("lab"),
  nodeName: name.optional(),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
  natsSyncInterval: z
    .string()
    .regex(/^(always|\d+(ms|s|m|h))$/, 'must be "always" or a duration such as "2m"')
    .default("2m"),
  chain: z.enum(["async", "sync"]).default("async"),
  provider: z
    .strictObject({ latencyMs: z.number().int().min(0).max(60_000), failureRate: rate, lostAnswerRate: rate })
    .partial()
    .default({}),
  tokenTtlSeconds: seconds.default(3600),
  keyLifetimeSeconds: seconds.default(86_400),
  cartTtlSeconds: seconds.default(86_400),
  gateway: z.record(z.string(), z.unknown(), { error: "must be an object of policies" }).default({}),
  instances: z.partialRecord(z.enum(serviceNames), z.number().int().min(1).max(20)).default({}),
});

/** The typed configuration of one stack. */
export interface Environment {
  stack: string;
  substrate: "embedded";
  ports: Ports;
  datacenter: string;
  region: string;
  nodeName: string;
  logLevel: string;
  /** How often JetStream writes to disk for good: a duration, or `always`. */
  natsSyncInterval: string;
  /** How an order goes on once it is placed: by the queue, or with the customer waiting for payment and notification. */
  chain: "async" | "sync";
  /** How the payment provider behaves after its start. */
  provider: { latencyMs: number; failureRate: number; lostAnswerRate: number };
  /** How long someone stays logged in. */
  tokenTtlSeconds: number;
  /** How long tokens are signed with the same key. */
  keyLifetimeSeconds: number;
  /** How long a cart lives after its last change. */
  cartTtlSeconds: number;
  /** The gateway's policies where they differ from its defaults; the gateway checks them. */
  gateway: Readonly<Record<string, unknown>>;
  /** How many instances of a service run. */
  instancesOf(service: ServiceName): number;
}

/** A setting that can't be used; the message names it as the user wrote it. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
}

/**
 * Reads the settings of a stack.
 *
 * @param stack the stack's name, also the default of its datacenter
 * @param values the settings as they stand in `Pulumi.<stack>.yaml`, without the `lab:` in front; objects as JSON text
 * @throws ConfigurationError that names each unusable setting
 */
export function environmentOf(stack: string, values: Record<string, string | undefined>): Environment {
  const parsed = settings.safeParse(
    Object.fromEntries(
      Object.entries(values)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, objects.has(key) ? json(key, value) : value]),
    ),
  );
  if (!parsed.success) {
    const lines = parsed.error.issues.map(
      (issue) => `lab:${issue.path.join(".") || settingName(issue)}: ${issue.message}`,
    );
    throw new ConfigurationError(
      `The configuration of stack ${stack} can't be used. Correct Pulumi.${stack}.yaml:\n  ${lines.join("\n  ")}`,
    );
  }
  refuseSharedServicePorts(parsed.data.instances);
  const { portBase, ports: overrides, provider, instances, datacenter, nodeName, ...rest } = parsed.data;
  const ports = portsOf(portBase, overrides);
  refuseSharedPorts(stack, ports);
  return {
    stack,
    ...rest,
    datacenter: datacenter ?? stack,
    nodeName: nodeName ?? `lab-${stack}`,
    ports,
    provider: { latencyMs: 0, failureRate: 0, lostAnswerRate: 0, ...provider },
    instancesOf: (service) => instances[service] ?? 1,
  };
}

/** The settings that are objects, which Pulumi hands over as JSON text. */
const objects = new Set(["ports", "provider", "gateway", "instances"]);

function json(key: string, value: string | undefined): unknown {
  try {
    return JSON.parse(value ?? "");
  } catch {
    throw new ConfigurationError(`lab:${key} must be an object; it is: ${value}`);
  }
}

function settingName(issue: z.core.$ZodIssue): string {
  return issue.code === "unrecognized_keys" ? issue.keys.join(", lab:") : "";
}

function refuseSharedServicePorts(instances: Partial<Record<ServiceName, number>>): void {
  for (const service of serviceNames) {
    if (rowOf(service).port !== undefined && (instances[service] ?? 1) > 1) {
      throw new ConfigurationError(
        `lab:instances.${service}: there can be only one, because it has a port of its own.`,
      );
    }
  }
}

function refuseSharedPorts(stack: string, ports: Ports): void {
  const owners = new Map<number, PortName>();
  for (const port of portNames) {
    const owner = owners.get(ports[port]);
    if (owner !== undefined) {
      throw new ConfigurationError(
        `Stack ${stack} gives port ${ports[port]} to both ${owner} and ${port}; change lab:ports.`,
      );
    }
    owners.set(ports[port], port);
  }
  if (ports.dynamicMin >= ports.dynamicMax) {
    throw new ConfigurationError(
      `Stack ${stack}: lab:ports.dynamicMin must be below lab:ports.dynamicMax (${ports.dynamicMin} ≥ ${ports.dynamicMax}).`,
    );
  }
}
