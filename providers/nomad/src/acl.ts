import type { ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { NomadClient, NomadError } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const policySchema = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9-]{1,128}$/, "must be letters, digits and dashes"),
  description: z.string().default(""),
  /** HCL (https://developer.hashicorp.com/nomad/docs/other-specifications/acl-policy). */
  rules: z.string().min(1),
});

type Policy = z.infer<typeof policySchema>;

/** `nomad:index/aclPolicy:AclPolicy`. */
export const aclPolicyHandler: ResourceHandler<Policy, Policy, Configuration> = {
  type: "nomad:index/aclPolicy:AclPolicy",
  inputs: policySchema,
  replaceOn: ["name"],

  async create({ config }, { inputs }) {
    await writePolicy(config, inputs);
    return { id: inputs.name, outputs: inputs };
  },

  async read({ config }, { id }) {
    const found = await new NomadClient(config).find<{ Description: string; Rules: string }>(
      `/v1/acl/policy/${id}`,
    );
    const state = found && { name: id, description: found.Description, rules: found.Rules };
    return state && { id, inputs: state, outputs: state };
  },

  async update({ config }, { inputs }) {
    await writePolicy(config, inputs);
    return { outputs: inputs };
  },

  async delete({ config }, { id }) {
    await new NomadClient(config).remove(`/v1/acl/policy/${id}`);
  },
};

async function writePolicy(config: Configuration, { name, description, rules }: Policy): Promise<void> {
  await new NomadClient(config).json(`/v1/acl/policy/${name}`, {
    method: "POST",
    body: { Name: name, Description: description, Rules: rules },
  });
}

const tokenSchema = z.strictObject({
  name: z.string().min(1),
  type: z.enum(["client", "management"]).default("client"),
  policies: z.array(z.string()).default([]),
  global: z.boolean().default(false),
});

type Token = z.infer<typeof tokenSchema>;
type TokenOutputs = Token & { accessorId: string; secretId: string };

interface ApiToken {
  AccessorID: string;
  SecretID: string;
  Name: string;
  Type: "client" | "management";
  Policies: string[] | null;
  Global: boolean;
}

/** `nomad:index/aclToken:AclToken`. */
export const aclTokenHandler: ResourceHandler<Token, TokenOutputs, Configuration> = {
  type: "nomad:index/aclToken:AclToken",
  inputs: tokenSchema,
  replaceOn: ["global"],
  secretOutputs: ["secretId"],

  async create({ config }, { inputs }) {
    const token = await writeToken(config, inputs);
    return { id: token.AccessorID, outputs: tokenOutputs(token) };
  },

  async read({ config }, { id }) {
    const found = await new NomadClient(config).find<ApiToken>(`/v1/acl/token/${id}`);
    if (!found) {
      return undefined;
    }
    const { accessorId: _accessor, secretId: _secret, ...inputs } = tokenOutputs(found);
    return { id, inputs, outputs: tokenOutputs(found) };
  },

  async update({ config }, { id, inputs }) {
    return { outputs: tokenOutputs(await writeToken(config, inputs, id)) };
  },

  async delete({ config }, { id }) {
    await new NomadClient(config).remove(`/v1/acl/token/${id}`);
  },
};

async function writeToken(config: Configuration, token: Token, accessorId?: string): Promise<ApiToken> {
  return await new NomadClient(config).json<ApiToken>(`/v1/acl/token${accessorId ? `/${accessorId}` : ""}`, {
    method: "POST",
    body: {
      AccessorID: accessorId,
      Name: token.name,
      Type: token.type,
      Policies: token.policies,
      Global: token.global,
    },
  });
}

function tokenOutputs(token: ApiToken): TokenOutputs {
  return {
    name: token.Name,
    type: token.Type,
    policies: token.Policies ?? [],
    global: token.Global,
    accessorId: token.AccessorID,
    secretId: token.SecretID,
  };
}

const bootstrapSchema = z.strictObject({
  address: z.url(),
  region: z.string().optional(),
  secretId: z.uuid(),
});

type Bootstrap = z.infer<typeof bootstrapSchema>;

/**
 * `nomad:index/aclBootstrap:AclBootstrap`: the first management token of a cluster, given by the operator. A cluster that was
 * bootstrapped with the same token is adopted.
 */
export const aclBootstrapHandler: ResourceHandler<Bootstrap, Bootstrap> = {
  type: "nomad:index/aclBootstrap:AclBootstrap",
  inputs: bootstrapSchema,
  replaceOn: ["address", "region", "secretId"],
  secretOutputs: ["secretId"],

  async create(_context, { inputs }) {
    await bootstrap(inputs);
    return { id: inputs.address, outputs: inputs };
  },

  async read(_context, { id, inputs, outputs }) {
    return { id, inputs, outputs: outputs as Bootstrap };
  },

  /** Tokens live and die with the cluster's data. */
  async delete() {},
};

/** The second is the answer where an operator's file for a reset still lies in the data folder. */
const isDone = /bootstrap already done|Invalid bootstrap reset index/;

async function bootstrap({ address, region, secretId }: Bootstrap): Promise<void> {
  try {
    await new NomadClient({ address, region }).json("/v1/acl/bootstrap", {
      method: "POST",
      body: { BootstrapSecret: secretId },
    });
  } catch (error) {
    if (!(error instanceof NomadError && isDone.test(error.message))) {
      throw error;
    }
    await adopt({ address, region, secretId });
  }
}

async function adopt({ address, region, secretId }: Bootstrap): Promise<void> {
  try {
    await new NomadClient({ address, region, token: secretId }).json("/v1/acl/token/self");
  } catch (error) {
    throw new Error(
      `Nomad at ${address} was bootstrapped with another token (${(error as Error).message}). ` +
        `Is it another stack's, or was this stack's key replaced?`,
    );
  }
}
