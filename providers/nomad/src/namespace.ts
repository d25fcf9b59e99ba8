import type { ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { NomadClient } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const inputsSchema = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9-]{1,128}$/, "must be letters, digits and dashes"),
  description: z.string().default(""),
});

type Inputs = z.infer<typeof inputsSchema>;

/** `nomad:index/namespace:Namespace`. */
export const namespaceHandler: ResourceHandler<Inputs, Inputs, Configuration> = {
  type: "nomad:index/namespace:Namespace",
  inputs: inputsSchema,
  replaceOn: ["name"],

  async create({ config }, { inputs }) {
    await write(config, inputs);
    return { id: inputs.name, outputs: inputs };
  },

  async read({ config }, { id }) {
    const found = await new NomadClient(config).find<{ Name: string; Description: string }>(
      `/v1/namespace/${id}`,
    );
    const state = found && { name: found.Name, description: found.Description };
    return state && { id, inputs: state, outputs: state };
  },

  async update({ config }, { inputs }) {
    await write(config, inputs);
    return { outputs: inputs };
  },

  async delete({ config }, { id }) {
    await new NomadClient(config).remove(`/v1/namespace/${id}`);
  },
};

async function write(config: Configuration, { name, description }: Inputs): Promise<void> {
  await new NomadClient(config).json("/v1/namespace", {
    method: "POST",
    body: { Name: name, Description: description },
  });
}
