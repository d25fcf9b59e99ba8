import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import type { Platform } from "../platform/platform.ts";
import { HonoService } from "./hono-service.ts";
import { monolith, rowOf, type ServiceName, serviceNames, variants } from "./services.ts";
import { type ShopUrls, shopUrls } from "./urls.ts";
import { type Ground, type Variables, variablesOf } from "./variables.ts";

/** The services of the shop, each with the stores that fit it, and the gateway in front of them. */
export class Shop extends pulumi.ComponentResource {
  readonly urls: ShopUrls;

  constructor(
    name: string,
    artifacts: ArtifactStore,
    ground: Ground,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:shop:Shop", name, {}, options);
    const { platform } = ground;
    const own = { parent: this };
    const services = new Map(
      serviceNames.map((service) => {
        const args = { artifacts, ...variablesOf(service, ground), ...jobOf(service, platform) };
        return [service, new HonoService(service, platform, args, own)];
      }),
    );
    for (const [variant, { of, description, settings }] of Object.entries(variants)) {
      const runs = services.get(of) as HonoService;
      const variables = { ...runs.variables, settings: { ...runs.variables.settings, ...settings } };
      new HonoService(variant, platform, { artifacts, description, runs, ...variables, count: 0 }, own);
    }
    const parts = [...services].filter(([service]) => service !== "gateway" && !rowOf(service).isOutside);
    const { description, memoryMaxMib } = monolith;
    new HonoService(
      monolith.name,
      platform,
      { artifacts, description, memoryMaxMib, ...together(parts), count: 0 },
      own,
    );
    this.urls = shopUrls(platform.environment.ports);
    this.registerOutputs({ urls: this.urls });
  }
}

/** The variables of several services for one process: each has the name of its service before it (`USER__MYSQL_HOST`). */
function together(services: Array<[ServiceName, HonoService]>): Variables {
  const prefixed = <T>(name: ServiceName, variables: Record<string, T>): Record<string, T> => {
    const prefix = `${name.replaceAll("-", "_").toUpperCase()}__`;
    return Object.fromEntries(Object.entries(variables).map(([key, value]) => [`${prefix}${key}`, value]));
  };
  return {
    settings: Object.assign(
      {},
      ...services.map(([name, { variables }]) =>
        prefixed(name, { ...variables.settings, ...monolith.settings[name] }),
      ),
    ),
    secrets: Object.assign({}, ...services.map(([name, { variables }]) => prefixed(name, variables.secrets))),
  };
}

/** What a service's row says of its jobs. */
function jobOf(service: ServiceName, { environment, folders }: Platform) {
  const {
    description,
    stores = [],
    hasNoSchema = false,
    port,
    sharedPort,
    morePorts = {},
    assets = {},
    keepsData,
  } = rowOf(service);
  const { ports } = environment;
  return {
    description,
    migrates: stores.length > 0 && !hasNoSchema,
    count: environment.instancesOf(service),
    ...(port ? { port: ports[port] } : {}),
    ...(sharedPort ? { sharedPort: ports[sharedPort] } : {}),
    morePorts: Object.fromEntries(Object.entries(morePorts).map(([label, name]) => [label, ports[name]])),
    assets,
    ...(keepsData ? { dataFolder: `${folders.data}/${service}` } : {}),
  };
}
