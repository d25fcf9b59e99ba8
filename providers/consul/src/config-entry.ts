import { type Properties, type ResourceHandler, same, type Value } from "@lab/provider-base";
import { z } from "zod";
import { difference, expected, inputsOf, withDefaults } from "./bridged.ts";
import { ConsulClient } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const inputsSchema = inputsOf({
  kind: z.string().min(1),
  name: z.string().min(1),
  configJson: z.string().default("{}"),
});

type Inputs = z.infer<typeof inputsSchema>;

const stables = ["kind", "name", "namespace", "partition"];

/** What Consul adds to an entry of its own accord. */
const addedByConsul = ["Kind", "Name", "CreateIndex", "ModifyIndex", "Namespace", "Partition", "Hash"];

/** `consul:index/configEntry:ConfigEntry`. */
export const configEntryHandler: ResourceHandler<Inputs, Properties, Configuration> = {
  type: "consul:index/configEntry:ConfigEntry",
  inputs: inputsSchema,
  checkRaw: (news) => withDefaults(news),
  previewRaw: expected,

  async diff(_context, { olds, news }) {
    return difference(olds, news as Properties, ["kind", "name"], stables, (properties) => ({
      ...properties,
      configJson: canonical(JSON.parse((properties.configJson as string) || "{}")),
    }));
  },

  async create({ config }, { inputs }) {
    return await write(config, inputs);
  },

  async read({ config }, { id, inputs, outputs }) {
    const kind = (outputs.kind ?? inputs.kind ?? id.split("/")[0]) as string;
    const name = (outputs.name ?? inputs.name ?? id.split("/")[1]) as string;
    const configJson = await find(config, kind, name);
    if (configJson === undefined) {
      return undefined;
    }
    const state = { configJson, kind, name };
    return { id: `${kind}-${name}`, inputs: state, outputs: { ...state, id: `${kind}-${name}` } };
  },

  async update({ config }, { inputs }) {
    return await write(config, inputs);
  },

  async delete({ config }, { outputs }) {
    await new ConsulClient(config).delete(`/v1/config/${outputs.kind}/${outputs.name}`);
  },
};

async function write(config: Configuration, { kind, name, configJson }: Inputs) {
  const wanted = JSON.parse(configJson) as Properties;
  try {
    await new ConsulClient(config).put("/v1/config", { ...wanted, Kind: kind, Name: name });
  } catch (error) {
    const undecodable = /Request decoding failed: (.*)\)$/.exec((error as Error).message)?.[1];
    throw new Error(
      undecodable
        ? `failed to decode config entry: ${undecodable}`
        : `failed to set '${name}' config entry: ${(error as Error).message}`,
    );
  }
  const actual = await find(config, kind, name);
  if (actual === undefined || !same(JSON.parse(actual), wanted)) {
    throw new Error(
      `failed to read config entry after setting it. This may happen when some attributes have an unexpected value.\n` +
        `Read: ${actual ?? "nothing"}\nWanted: ${canonical(wanted)}`,
    );
  }
  const id = `${kind}-${name}`;
  return { id, outputs: { configJson: canonical(wanted), id, kind, name } };
}

async function find(config: Configuration, kind: string, name: string): Promise<string | undefined> {
  const entry = await new ConsulClient(config).get<Properties>(`/v1/config/${kind}/${name}`);
  return (
    entry &&
    canonical(Object.fromEntries(Object.entries(entry).filter(([field]) => !addedByConsul.includes(field))))
  );
}

/** JSON with its keys in order. */
function canonical(value: Value): string {
  return JSON.stringify(ordered(value));
}

function ordered(value: Value): Value {
  if (Array.isArray(value)) {
    return value.map(ordered);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, ordered(inner)]),
  );
}
