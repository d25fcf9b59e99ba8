import { AclPolicy } from "@lab/provider-nomad";
import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import type { ConsulAgent } from "./consul-agent.ts";
import type { NomadAgent } from "./nomad-agent.ts";

/** The token that Consul gives to requests without one. */
const anonymousToken = "00000000-0000-0000-0000-000000000002";

/**
 * Lets Nomad register services in Consul, and nothing more.
 *
 * @returns the secret of its token
 */
export function consulTokenForNomad(agent: ConsulAgent, parent: pulumi.Resource): pulumi.Output<string> {
  const options = { parent, provider: agent.provider, deletedWith: agent.process };
  const policy = new consul.AclPolicy(
    "nomad-agent",
    {
      name: "nomad-agent",
      description: "Nomad registers the services of its jobs",
      rules: `agent_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\nservice_prefix "" { policy = "write" }\n`,
    },
    options,
  );
  const token = new consul.AclToken(
    "nomad-agent",
    { description: "The Nomad agent's own", policies: [policy.name], local: true },
    options,
  );
  return pulumi.secret(
    consul.getAclTokenSecretIdOutput({ accessorId: token.id }, { parent, provider: agent.provider }).secretId,
  );
}

/** Opens the health of services in Consul to read without a token; the gateway finds instances with it. */
export function openHealthInConsul(agent: ConsulAgent, parent: pulumi.Resource): void {
  const options = { parent, provider: agent.provider, deletedWith: agent.process };
  const policy = new consul.AclPolicy(
    "read-health",
    {
      name: "read-health",
      description: "Anyone on this machine may see which services run and how they are",
      rules: `agent_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\nservice_prefix "" { policy = "read" }\n`,
    },
    options,
  );
  new consul.AclTokenPolicyAttachment(
    "read-health",
    { tokenId: anonymousToken, policy: policy.name },
    options,
  );
}

/** Opens the list of jobs and their state in Nomad to read without a token, so that its UI shows them. */
export function openJobsInNomad(agent: NomadAgent, parent: pulumi.Resource): void {
  new AclPolicy(
    "anonymous",
    {
      name: "anonymous",
      description: "Anyone on this machine may see which jobs run and how they are",
      rules: `namespace "*" {\n  capabilities = ["list-jobs", "read-job"]\n}\n\nnode {\n  policy = "read"\n}\n`,
    },
    { parent, provider: agent.provider, deletedWith: agent.process },
  );
}
