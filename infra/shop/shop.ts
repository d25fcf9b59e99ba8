import * as pulumi from "@pulumi/pulumi";
import type { DataTier } from "../data/data-tier.ts";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import type { Keyring } from "../platform/keyring.ts";
import type { Platform } from "../platform/platform.ts";
import { accessTo } from "./access.ts";
import { HonoService, type Variables } from "./hono-service.ts";
import {
  type Facts,
  providerKey,
  publicRoutes,
  rowOf,
  type ServiceName,
  serviceNames,
  variants,
} from "./services.ts";

/** The services of the shop, each with the stores that fit it, and the gateway in front of them. */
export class Shop extends pulumi.ComponentResource {
  readonly urls: Record<"gateway" | "paymentProvider" | "mail", string>;
  readonly paymentProvider: { apiKey: pulumi.Output<string> };

  constructor(
    name: string,
    platform: Platform,
    artifacts: ArtifactStore,
    data: DataTier,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:shop:Shop", name, {}, options);
    const { environment, folders, keyring } = platform;
    const { ports } = environment;
    const at = (port: number) => `http://127.0.0.1:${port}`;
    this.urls = {
      gateway: at(ports.gateway),
      paymentProvider: at(ports.paymentProvider),
      mail: at(ports.mail),
    };
    const facts: Facts = {
      environment,
      consulUrl: `http://${platform.consul.address}`,
      routes: publicRoutes(),
      urls: this.urls,
    };
    this.paymentProvider = { apiKey: keyring.password(providerKey) };

    const own = { parent: this };
    const made = new Map<ServiceName, HonoService>();
    for (const service of serviceNames) {
      const row = rowOf(service);
      const honoService = new HonoService(
        service,
        platform,
        {
          artifacts,
          description: row.description,
          ...variablesOf(service, facts, data, keyring),
          migrates: (row.stores ?? []).length > 0,
          count: environment.instancesOf(service),
          ...(row.port ? { port: ports[row.port] } : {}),
          morePorts: Object.fromEntries(
            Object.entries(row.morePorts ?? {}).map(([label, port]) => [label, ports[port]]),
          ),
          ...(row.keepsData ? { dataFolder: `${folders.data}/${service}` } : {}),
        },
        own,
      );
      made.set(service, honoService);
    }
    for (const [variant, { of, description, settings }] of Object.entries(variants)) {
      const runs = made.get(of) as HonoService;
      const variables = { ...runs.variables, settings: { ...runs.variables.settings, ...settings } };
      new HonoService(variant, platform, { artifacts, description, runs, ...variables, count: 0 }, own);
    }
    this.registerOutputs({ urls: this.urls });
  }
}

function variablesOf(service: ServiceName, facts: Facts, data: DataTier, keyring: Keyring): Variables {
  const { stores = [], isOutside, settings, secrets = {} } = rowOf(service);
  const accesses = stores.map((store) => accessTo(store, service, data));
  const tokens = {
    JWKS_URL: `${facts.urls.gateway}/api/users/jwks.json`,
    JWT_ISSUER: "polyglot-lab",
    JWT_AUDIENCE: "shop",
  };
  return {
    settings: Object.assign(
      {},
      isOutside ? {} : tokens,
      ...accesses.map((access) => access.settings),
      settings?.(facts),
    ),
    secrets: Object.assign(
      {},
      ...accesses.map((access) => access.secrets),
      Object.fromEntries(
        Object.entries(secrets).map(([variable, name]) => [variable, keyring.password(name)]),
      ),
    ),
  };
}
