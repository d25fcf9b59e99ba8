import * as pulumi from "@pulumi/pulumi";
import type { DataTier } from "../data/data-tier.ts";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import type { Platform } from "../platform/platform.ts";
import { accessTo } from "./access.ts";
import { HonoService } from "./hono-service.ts";
import { type Facts, publicRoutes, rowOf, serviceNames } from "./services.ts";

/** The services of the shop, each with the stores that fit it, and the gateway in front of them. */
export class Shop extends pulumi.ComponentResource {
  readonly gatewayUrl: string;

  constructor(
    name: string,
    platform: Platform,
    artifacts: ArtifactStore,
    data: DataTier,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:shop:Shop", name, {}, options);
    const { environment } = platform;
    const facts: Facts = {
      environment,
      consulUrl: `http://${platform.consul.address}`,
      routes: publicRoutes(),
    };
    for (const service of serviceNames) {
      const { description, stores = [], port, settings } = rowOf(service);
      const accesses = stores.map((store) => accessTo(store, service, data));
      new HonoService(
        service,
        platform,
        {
          artifacts,
          description,
          settings: Object.assign({}, ...accesses.map((access) => access.settings), settings?.(facts)),
          secrets: Object.assign({}, ...accesses.map((access) => access.secrets)),
          migrates: stores.length > 0,
          ...(port ? { port: environment.ports[port] } : {}),
        },
        { parent: this },
      );
    }
    this.gatewayUrl = `http://127.0.0.1:${environment.ports.gateway}`;
    this.registerOutputs({ gatewayUrl: this.gatewayUrl });
  }
}
