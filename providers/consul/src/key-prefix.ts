import { InitializationFailed, type Properties, type ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { difference, expected, inputsOf, withDefaults } from "./bridged.ts";
import { ConsulClient, ConsulError, pathOf } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const inputsSchema = inputsOf({
  pathPrefix: z.string().min(1),
  subkeys: z.record(z.string(), z.string()).default({}),
});

type Inputs = z.infer<typeof inputsSchema>;

interface Pair {
  Key: string;
  Value: string | null;
}

const stables = ["datacenter", "namespace", "partition", "pathPrefix"];

/** `consul:index/keyPrefix:KeyPrefix`: owns every key below a prefix; others are removed. */
export const keyPrefixHandler: ResourceHandler<Inputs, Properties, Configuration> = {
  type: "consul:index/keyPrefix:KeyPrefix",
  inputs: inputsSchema,
  checkRaw: (news) => withDefaults(news, ["subkeys"]),
  previewRaw: (inputs, olds) => ({ ...expected(inputs, olds), ...(olds && { subkeyCollection: [] }) }),

  async diff(_context, { olds, news }) {
    return difference(olds, news as Properties, ["pathPrefix"], stables);
  },

  async create({ config }, { inputs }) {
    const consul = new ConsulClient(config);
    const existing = await subkeysOf(consul, inputs.pathPrefix);
    const foreign = Object.keys(existing).filter((key) => existing[key] !== inputs.subkeys[key]);
    if (foreign.length > 0) {
      throw new Error(
        `Keys already exist under ${inputs.pathPrefix} (${foreign.join(", ")}); delete them before managing this prefix.`,
      );
    }
    const id = inputs.pathPrefix;
    const datacenter = await datacenterOf(consul, config);
    const outputs = { id, datacenter, pathPrefix: inputs.pathPrefix, subkeys: inputs.subkeys };
    try {
      await write(consul, inputs.pathPrefix, {}, inputs.subkeys);
    } catch (error) {
      // Some keys may be there: Pulumi has to know them, to complete or to remove them.
      throw new InitializationFailed(id, outputs, [(error as Error).message]);
    }
    return { id, outputs };
  },

  async read({ config }, { id, outputs }) {
    const consul = new ConsulClient(config);
    const subkeys = await subkeysOf(consul, id);
    return {
      id,
      inputs: { pathPrefix: id, subkeys },
      outputs: {
        datacenter: await datacenterOf(consul, config),
        ...outputs,
        id,
        pathPrefix: id,
        subkeyCollection: [],
        subkeys,
      },
    };
  },

  async update({ config }, { id, olds, inputs }) {
    await write(new ConsulClient(config), id, (olds.subkeys ?? {}) as Record<string, string>, inputs.subkeys);
    return { outputs: { ...olds, subkeyCollection: [], subkeys: inputs.subkeys } };
  },

  async delete({ config }, { id }) {
    try {
      await new ConsulClient(config).delete(`/v1/kv/${pathOf(id)}`, { recurse: "" });
    } catch (error) {
      throw new Error(`failed to delete Consul keys under '${id}': ${(error as Error).message}`);
    }
  },
};

/** The configured datacenter, or the agent's; empty where the token may not ask the agent. */
async function datacenterOf(consul: ConsulClient, { datacenter }: Configuration): Promise<string> {
  if (datacenter !== undefined) {
    return datacenter;
  }
  try {
    const self = await consul.get<{ Config: { Datacenter: string } }>("/v1/agent/self");
    return self?.Config.Datacenter ?? "";
  } catch (error) {
    if (error instanceof ConsulError && error.status === 403) {
      return "";
    }
    throw error;
  }
}

async function subkeysOf(consul: ConsulClient, prefix: string): Promise<Record<string, string>> {
  try {
    const pairs = (await consul.get<Pair[]>(`/v1/kv/${pathOf(prefix)}`, { recurse: "" })) ?? [];
    return Object.fromEntries(
      pairs.map(({ Key, Value }) => [
        Key.slice(prefix.length),
        Buffer.from(Value ?? "", "base64").toString("utf8"),
      ]),
    );
  } catch (error) {
    throw new Error(`failed to list Consul keys under prefix '${prefix}': ${(error as Error).message}`);
  }
}

async function write(
  consul: ConsulClient,
  prefix: string,
  olds: Record<string, string>,
  news: Record<string, string>,
): Promise<void> {
  for (const [key, value] of Object.entries(news)) {
    if (olds[key] !== value) {
      try {
        await consul.put(`/v1/kv/${pathOf(prefix + key)}`, value);
      } catch (error) {
        throw new Error(
          `error while writing ${prefix}${key}: failed to write Consul key '${prefix}${key}': ${(error as Error).message}`,
        );
      }
    }
  }
  for (const key of Object.keys(olds)) {
    if (!(key in news)) {
      await consul.delete(`/v1/kv/${pathOf(prefix + key)}`);
    }
  }
}
