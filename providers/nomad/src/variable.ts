import type { ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { NomadClient } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const inputsSchema = z.strictObject({
  path: z.string().regex(/^[a-zA-Z0-9\-_~/]{1,128}$/, "must be letters, digits and any of -_~/"),
  namespace: z.string().default("default"),
  items: z.record(z.string(), z.string()),
});

type Inputs = z.infer<typeof inputsSchema>;

/** `nomad:index/variable:Variable`: what the tasks of a job may read. Its items are always secret. */
export const variableHandler: ResourceHandler<Inputs, Inputs, Configuration> = {
  type: "nomad:index/variable:Variable",
  inputs: inputsSchema,
  replaceOn: ["path", "namespace"],
  secretOutputs: ["items"],

  async create({ config }, { inputs }) {
    await write(config, inputs);
    return { id: `${inputs.namespace}/${inputs.path}`, outputs: inputs };
  },

  async read({ config }, { id }) {
    const namespace = id.slice(0, id.indexOf("/"));
    const path = id.slice(namespace.length + 1);
    const found = await new NomadClient(config).find<{ Items: Record<string, string> }>(`/v1/var/${path}`, {
      query: { namespace },
    });
    const state = found && { path, namespace, items: found.Items };
    return state && { id, inputs: state, outputs: state };
  },

  async update({ config }, { inputs }) {
    await write(config, inputs);
    return { outputs: inputs };
  },

  async delete({ config }, { inputs, outputs }) {
    const { path, namespace } = { ...outputs, ...inputs };
    await new NomadClient(config).find(`/v1/var/${path}`, { method: "DELETE", query: { namespace } });
  },
};

async function write(config: Configuration, { path, namespace, items }: Inputs): Promise<void> {
  await new NomadClient(config).json(`/v1/var/${path}`, {
    method: "POST",
    query: { namespace },
    body: { Path: path, Namespace: namespace, Items: items },
  });
}
