import type * as pulumi from "@pulumi/pulumi";
import type { DataTier } from "../data/data-tier.ts";
import type { Nats } from "../platform/nats.ts";
import type { Platform } from "../platform/platform.ts";
import { accessTo, accessToNats } from "./access.ts";
import { erasers, internalTokens, publicRoutes, rowOf, type ServiceName, usesMessaging } from "./services.ts";
import { shopUrls } from "./urls.ts";

/** Environment variables of a service: plain ones, and those that reach the tasks through a Nomad Variable. */
export interface Variables {
  settings: Record<string, string>;
  secrets: Record<string, pulumi.Input<string>>;
}

/** What the services stand on. */
export interface Ground {
  platform: Platform;
  data: DataTier;
  nats: Nats;
}

/** All that a service is told, besides who it is. */
export function variablesOf(service: ServiceName, { platform, data, nats }: Ground): Variables {
  const { environment, consul, keyring } = platform;
  const { stores = [], route, settings, secrets = {} } = rowOf(service);
  const urls = shopUrls(environment.ports);
  const parts: Partial<Variables>[] = [
    route === undefined ? {} : { settings: tokenSettings(urls.gateway) },
    ...stores.map((store) => accessTo(store, service, data)),
    usesMessaging(service) ? accessToNats(service, nats) : {},
    {
      settings: settings?.({
        environment,
        consulUrl: `http://${consul.address}`,
        routes: publicRoutes(),
        erasers: erasers(),
        urls,
      }),
      secrets: Object.fromEntries(
        Object.entries(secrets).map(([variable, name]) => [variable, keyring.password(name)]),
      ),
    },
  ];
  return {
    settings: Object.assign({}, ...parts.map((part) => part.settings)),
    secrets: Object.assign({}, ...parts.map((part) => part.secrets)),
  };
}

/** How the tokens that the gateway sends in people's names are checked, by the services behind it. */
function tokenSettings(gatewayUrl: string): Record<string, string> {
  return {
    JWKS_URL: `${gatewayUrl}/_gateway/jwks.json`,
    JWT_ISSUER: internalTokens.issuer,
    JWT_AUDIENCE: internalTokens.audience,
  };
}
