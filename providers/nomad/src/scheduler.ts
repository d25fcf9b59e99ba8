import type { ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { NomadClient } from "./client.ts";
import type { Configuration } from "./configuration.ts";

const inputsSchema = z.strictObject({
  memoryOversubscriptionEnabled: z.boolean(),
});

type Inputs = z.infer<typeof inputsSchema>;

/** As much of the configuration as the provider uses (`api.SchedulerConfiguration`); the rest stays as it is. */
interface SchedulerConfiguration {
  MemoryOversubscriptionEnabled: boolean;
  ModifyIndex: number;
  [field: string]: unknown;
}

const path = "/v1/operator/scheduler/configuration";

/** `nomad:index/schedulerConfig:SchedulerConfig`: there is one in a cluster, which stays when the resource goes. */
export const schedulerConfigHandler: ResourceHandler<Inputs, Inputs, Configuration> = {
  type: "nomad:index/schedulerConfig:SchedulerConfig",
  inputs: inputsSchema,

  async create({ config }, { inputs }) {
    await write(config, inputs);
    return { id: "scheduler", outputs: inputs };
  },

  async read({ config }, { id }) {
    const { MemoryOversubscriptionEnabled: memoryOversubscriptionEnabled } = await current(config);
    const state = { memoryOversubscriptionEnabled };
    return { id, inputs: state, outputs: state };
  },

  async update({ config }, { inputs }) {
    await write(config, inputs);
    return { outputs: inputs };
  },

  async delete() {},
};

async function current(config: Configuration): Promise<SchedulerConfiguration> {
  const { SchedulerConfig } = await new NomadClient(config).json<{ SchedulerConfig: SchedulerConfiguration }>(
    path,
  );
  return SchedulerConfig;
}

/** @throws Error when someone else changed the configuration meanwhile */
async function write(config: Configuration, { memoryOversubscriptionEnabled }: Inputs): Promise<void> {
  const last = await current(config);
  const { Updated } = await new NomadClient(config).json<{ Updated: boolean }>(path, {
    method: "POST",
    query: { cas: last.ModifyIndex },
    body: { ...last, MemoryOversubscriptionEnabled: memoryOversubscriptionEnabled },
  });
  if (!Updated) {
    throw new Error("Someone else changed the configuration of Nomad's scheduler meanwhile. Run this again.");
  }
}
