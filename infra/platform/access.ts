import { AclPolicy } from "@lab/provider-nomad";
import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import type { ConsulAgent } from "./consul-agent.ts";
import type { NomadAgent } from "./nomad-agent.ts";
import { openToAll } from "./open-to-all.ts";

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

/** Opens in Consul what the gateway reads, without a token: the health of services, and its policies. */
export function openReadingInConsul(agent: ConsulAgent, parent: pulumi.Resource): void {
  const options = { parent, provider: agent.provider, deletedWith: agent.process };
  const attached: pulumi.Resource[] = [];
  for (const args of openToAll) {
    const policy = new consul.AclPolicy(args.name, args, options);
    // One after the other: each reads the token and writes it back with one policy more.
    const dependsOn = [...attached];
    attached.push(
      new consul.AclTokenPolicyAttachment(
        args.name,
        { tokenId: anonymousToken, policy: policy.name },
        { ...options, dependsOn },
      ),
    );
  }
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
