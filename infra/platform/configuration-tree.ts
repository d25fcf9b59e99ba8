import * as consul from "@pulumi/consul";
import type * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../environment.ts";
import { serviceNames } from "../shop/services.ts";
import type { ConsulAgent } from "./consul-agent.ts";

/**
 * What people and programs may want to know of an environment, in Consul's key-value store under
 * `lab/<stack>/`, and how Consul is to treat its services. Never a secret.
 */
export function configurationTree(
  environment: Environment,
  agent: ConsulAgent,
  facts: Record<string, pulumi.Input<string>>,
  parent: pulumi.Resource,
): void {
  const options = { parent, provider: agent.provider, deletedWith: agent.process };
  new consul.KeyPrefix(
    "configuration",
    {
      pathPrefix: `lab/${environment.stack}/`,
      subkeys: {
        substrate: environment.substrate,
        region: environment.region,
        "log-level": environment.logLevel,
        ...facts,
      },
    },
    options,
  );
  for (const service of serviceNames) {
    new consul.ConfigEntry(
      `${service}-defaults`,
      {
        kind: "service-defaults",
        name: service,
        // Consul answers with the three empty objects; without them every `up` would see a change.
        configJson: JSON.stringify({ Expose: {}, MeshGateway: {}, Protocol: "http", TransparentProxy: {} }),
      },
      options,
    );
  }
}
