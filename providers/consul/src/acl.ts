import type { FunctionHandler, Properties, ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { difference, expected, inputsOf, withDefaults } from "./bridged.ts";
import { ConsulClient } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const policySchema = inputsOf({
  name: z.string().min(1),
  description: z.string().optional(),
  rules: z.string().min(1),
  datacenters: z.array(z.string()).optional(),
});

type Policy = z.infer<typeof policySchema>;

interface ApiPolicy {
  ID: string;
  Name: string;
  Description: string;
  Rules: string;
  Datacenters?: string[] | null;
}

/** `consul:index/aclPolicy:AclPolicy`. A policy of the same name that an interrupted run left behind is adopted. */
export const aclPolicyHandler: ResourceHandler<Policy, Properties, Configuration> = {
  type: "consul:index/aclPolicy:AclPolicy",
  inputs: policySchema,
  checkRaw: (news) => withDefaults(news),
  previewRaw: expected,

  async diff(_context, { olds, news }) {
    return difference(olds, news as Properties, [], ["namespace", "partition"]);
  },

  async create({ config }, { inputs }) {
    const consul = new ConsulClient(config);
    const existing = await consul.get<ApiPolicy>(`/v1/acl/policy/name/${inputs.name}`);
    try {
      const policy = await consul.put<ApiPolicy>(
        `/v1/acl/policy${existing ? `/${existing.ID}` : ""}`,
        policyBody(inputs),
      );
      return { id: policy.ID, outputs: policyOutputs(policy) };
    } catch (error) {
      throw new Error(`error creating ACL policy: ${(error as Error).message}`);
    }
  },

  async read({ config }, { id }) {
    const policy = await new ConsulClient(config).get<ApiPolicy>(`/v1/acl/policy/${id}`);
    return (
      policy && {
        id,
        inputs: { name: policy.Name, description: policy.Description, rules: policy.Rules },
        outputs: policyOutputs(policy),
      }
    );
  },

  async update({ config }, { id, inputs }) {
    const policy = await new ConsulClient(config).put<ApiPolicy>(`/v1/acl/policy/${id}`, policyBody(inputs));
    return { outputs: policyOutputs(policy) };
  },

  async delete({ config }, { id }) {
    await new ConsulClient(config).delete(`/v1/acl/policy/${id}`);
  },
};

function policyBody({ name, description, rules, datacenters }: Policy) {
  return { Name: name, Description: description, Rules: rules, Datacenters: datacenters };
}

function policyOutputs(policy: ApiPolicy): Properties {
  return {
    id: policy.ID,
    name: policy.Name,
    description: policy.Description,
    rules: policy.Rules,
    datacenters: policy.Datacenters ?? [],
    namespace: "",
    partition: "",
  };
}

const tokenSchema = inputsOf({
  description: z.string().optional(),
  policies: z.array(z.string()).optional(),
  local: z.boolean().optional(),
});

type Token = z.infer<typeof tokenSchema>;

interface ApiToken {
  AccessorID: string;
  SecretID: string;
  Description: string;
  Local: boolean;
  Policies?: Array<{ ID?: string; Name: string }> | null;
}

/** `consul:index/aclToken:AclToken`. Its secret is read by {@link tokenSecretFunction}. */
export const aclTokenHandler: ResourceHandler<Token, Properties, Configuration> = {
  type: "consul:index/aclToken:AclToken",
  inputs: tokenSchema,
  checkRaw: (news) => withDefaults(news),
  previewRaw: expected,

  async diff(_context, { olds, news }) {
    return difference(
      olds,
      news as Properties,
      ["local", "accessorId", "expirationTime"],
      ["accessorId", "expirationTime", "local", "namespace", "partition"],
    );
  },

  async create({ config }, { inputs }) {
    const token = await new ConsulClient(config).put<ApiToken>("/v1/acl/token", tokenBody(inputs));
    return { id: token.AccessorID, outputs: tokenOutputs(token) };
  },

  async read({ config }, { id }) {
    const token = await new ConsulClient(config).get<ApiToken>(`/v1/acl/token/${id}`);
    return (
      token && {
        id,
        inputs: {
          description: token.Description,
          local: token.Local,
          policies: policyNames(token),
        },
        outputs: tokenOutputs(token),
      }
    );
  },

  async update({ config }, { id, inputs }) {
    const token = await new ConsulClient(config).put<ApiToken>(`/v1/acl/token/${id}`, {
      ...tokenBody(inputs),
      AccessorID: id,
    });
    return { outputs: tokenOutputs(token) };
  },

  async delete({ config }, { id }) {
    await new ConsulClient(config).delete(`/v1/acl/token/${id}`);
  },
};

function tokenBody({ description, policies, local }: Token) {
  return {
    Description: description,
    Local: local ?? false,
    Policies: (policies ?? []).map((Name) => ({ Name })),
  };
}

function tokenOutputs(token: ApiToken): Properties {
  return {
    id: token.AccessorID,
    accessorId: token.AccessorID,
    description: token.Description,
    expirationTime: "",
    local: token.Local,
    namespace: "",
    nodeIdentities: [],
    partition: "",
    policies: policyNames(token),
    roles: [],
    serviceIdentities: [],
    templatedPolicies: [],
  };
}

function policyNames({ Policies }: ApiToken): string[] {
  return (Policies ?? []).map(({ Name }) => Name);
}

/** `consul:index/getAclTokenSecretId:getAclTokenSecretId`. */
export const tokenSecretFunction: FunctionHandler<{ accessorId: string }, Configuration> = {
  token: "consul:index/getAclTokenSecretId:getAclTokenSecretId",
  arguments: z.looseObject({ accessorId: z.string().min(1) }),
  secretResults: ["secretId"],

  async call({ config }, { accessorId }) {
    const token = await new ConsulClient(config).get<ApiToken>(`/v1/acl/token/${accessorId}`);
    if (!token) {
      throw new Error(`Consul knows no token with accessor ${accessorId}.`);
    }
    return { accessorId, encryptedSecretId: "", id: accessorId, pgpKey: "", secretId: token.SecretID };
  },
};

const attachmentSchema = inputsOf({ tokenId: z.string().min(1), policy: z.string().min(1) });

type Attachment = z.infer<typeof attachmentSchema>;

/** `consul:index/aclTokenPolicyAttachment:AclTokenPolicyAttachment`. */
export const aclTokenPolicyAttachmentHandler: ResourceHandler<Attachment, Properties, Configuration> = {
  type: "consul:index/aclTokenPolicyAttachment:AclTokenPolicyAttachment",
  inputs: attachmentSchema,
  checkRaw: (news) => withDefaults(news),
  previewRaw: expected,

  async diff(_context, { olds, news }) {
    return difference(olds, news as Properties, ["tokenId", "policy"], ["policy", "tokenId"]);
  },

  async create({ config }, { inputs: { tokenId, policy } }) {
    if (!(await changePolicies(config, tokenId, (names) => [...new Set([...names, policy])]))) {
      throw new Error(`token '${tokenId}' not found`);
    }
    const id = `${tokenId}:${policy}`;
    return { id, outputs: { id, policy, tokenId } };
  },

  async read({ config }, { id }) {
    const [tokenId, policy] = [id.slice(0, 36), id.slice(37)];
    const token = await new ConsulClient(config).get<ApiToken>(`/v1/acl/token/${tokenId}`);
    const inputs = { policy, tokenId };
    return token && policyNames(token).includes(policy)
      ? { id, inputs, outputs: { ...inputs, id } }
      : undefined;
  },

  async delete({ config }, { outputs }) {
    // A token that is gone has taken its attachments with it.
    await changePolicies(config, outputs.tokenId as string, (names) =>
      names.filter((name) => name !== outputs.policy),
    );
  },
};

/** @returns whether there is such a token */
async function changePolicies(
  config: Configuration,
  tokenId: string,
  change: (names: string[]) => string[],
): Promise<boolean> {
  const consul = new ConsulClient(config);
  const token = await consul.get<ApiToken>(`/v1/acl/token/${tokenId}`);
  if (!token) {
    return false;
  }
  // The whole token goes back: what is left out, such as its roles, Consul would take away.
  await consul.put(`/v1/acl/token/${tokenId}`, {
    ...token,
    Policies: change(policyNames(token)).map((Name) => ({ Name })),
  });
  return true;
}
