import {
  type Change,
  type Context,
  compare,
  InitializationFailed,
  type ResourceHandler,
} from "@lab/provider-base";
import { z } from "zod";
import { NomadClient, NomadError } from "./client.ts";
import type { Configuration } from "./configuration.ts";
import { failuresOf, untilSettled } from "./deployment.ts";
import { variableFile } from "./hcl.ts";
import { changesOf, type JobDiff } from "./plan.ts";

const inputsSchema = z.strictObject({
  jobspec: z.string().min(1),
  variables: z.record(z.string(), z.string()).default({}),
  purgeOnDelete: z.boolean().default(true),
  timeoutMs: z.number().int().positive().default(300_000),
});

type Inputs = z.infer<typeof inputsSchema>;

/** As much of a job as the provider uses (`api.Job`); the rest goes from the parser to the server as it is. */
interface Specification {
  ID: string;
  Name: string;
  Namespace?: string;
  Type: string;
  [field: string]: unknown;
}

interface Outputs extends Inputs {
  name: string;
  namespace: string;
  type: string;
  /** Nomad's index of the specification that this resource registered. */
  jobModifyIndex: number;
}

interface Plan {
  Diff: JobDiff;
  JobModifyIndex: number;
  FailedTGAllocs?: Record<string, unknown> | null;
}

interface Registered {
  EvalID: string;
  JobModifyIndex: number;
}

/** How long an agent that has just been started may take to answer. */
const connectWithinMs = 15_000;

/** `nomad:index/job:Job`: a job that counts as created or updated once Nomad calls its deployment healthy. */
export const jobHandler: ResourceHandler<Inputs, Outputs, Configuration> = {
  type: "nomad:index/job:Job",
  inputs: inputsSchema,

  async diff(context, { olds, oldInputs, news }) {
    const local = compare(
      pick(oldInputs, ["purgeOnDelete", "timeoutMs"]),
      pick(news, ["purgeOnDelete", "timeoutMs"]),
    );
    const client = clientOf(context);
    try {
      const wanted = await parse(client, news);
      if (wanted.ID !== olds.name || (wanted.Namespace ?? "default") !== olds.namespace) {
        return { changes: { ...local, name: "update-replace" } };
      }
      const plan = await planOf(client, wanted);
      if (plan.Diff.Type === "Added") {
        return { changes: { ...local, registered: "add" } };
      }
      return { changes: { ...local, ...changesOf(plan.Diff) } };
    } catch (error) {
      if (error instanceof NomadError || context.signal.aborted) {
        throw error;
      }
      // Nothing answers there, as in a preview while the agent is dead: what can be told without it.
      context.log("warning", `${(error as Error).message} The comparison is of the inputs alone.`);
      return { changes: { ...local, ...compare(oldInputs, news as never) } as Record<string, Change> };
    }
  },

  async create(context, { inputs }) {
    const client = clientOf(context);
    const wanted = await parse(client, inputs);
    const plan = await planOf(client, wanted);
    // An identical job is there when an earlier run registered it and could not record that.
    return apply(context, client, inputs, wanted, plan);
  },

  async read(context, { id, inputs, outputs }) {
    const client = clientOf(context);
    const [namespace, name] = id.split("/", 2) as [string, string];
    const job = await client.find<Specification & { Stop: boolean; JobModifyIndex: number }>(
      `/v1/job/${encodeURIComponent(name)}`,
      { query: { namespace }, connectWithinMs },
    );
    if (!job || job.Stop) {
      return undefined;
    }
    if (outputs.name !== undefined) {
      return { id, inputs, outputs: { ...(outputs as Outputs), jobModifyIndex: job.JobModifyIndex } };
    }
    const submission = await client.find<{ Source: string; Variables: string }>(
      `/v1/job/${encodeURIComponent(name)}/submission`,
      { query: { namespace, version: job.Version as number } },
    );
    if (!submission?.Source) {
      throw new Error(`Job ${name} was registered without its source, so it can't be imported.`);
    }
    const imported = inputsSchema.parse({ jobspec: submission.Source });
    return {
      id,
      inputs: imported,
      outputs: { ...imported, name, namespace, type: job.Type, jobModifyIndex: job.JobModifyIndex },
    };
  },

  async update(context, { inputs }) {
    const client = clientOf(context);
    const wanted = await parse(client, inputs);
    return apply(context, client, inputs, wanted, await planOf(client, wanted));
  },

  async delete(context, { id, outputs }) {
    const client = clientOf(context);
    const [namespace, name] = id.split("/", 2) as [string, string];
    await ignoringMissing(
      client.json(`/v1/job/${encodeURIComponent(name)}`, {
        method: "DELETE",
        query: { namespace, purge: outputs.purgeOnDelete },
        connectWithinMs,
      }),
    );
    await untilStopped(context, client, namespace, name);
  },
};

/** Registers the job unless Nomad has it already, and waits until it runs as it should. */
async function apply(
  context: Context<Configuration>,
  client: NomadClient,
  inputs: Inputs,
  wanted: Specification,
  plan: Plan,
) {
  const namespace = wanted.Namespace ?? "default";
  const id = `${namespace}/${wanted.ID}`;
  const known = { ...inputs, name: wanted.ID, namespace, type: wanted.Type };
  let jobModifyIndex = plan.JobModifyIndex;
  let evaluation: string | undefined;
  if (plan.Diff.Type !== "None") {
    const registered = await client.json<Registered>("/v1/jobs", {
      method: "POST",
      query: { namespace },
      // Refused when someone else changed the job since the plan.
      body: {
        Job: wanted,
        EnforceIndex: true,
        JobModifyIndex: plan.JobModifyIndex,
        Submission: { Source: inputs.jobspec, Format: "hcl2" },
      },
    });
    jobModifyIndex = registered.JobModifyIndex;
    evaluation = registered.EvalID;
  }
  const outputs: Outputs = { ...known, jobModifyIndex };
  const settled = await untilSettled(client, {
    namespace,
    name: wanted.ID,
    type: wanted.Type,
    evaluation,
    jobModifyIndex,
    timeoutMs: inputs.timeoutMs,
    signal: context.signal,
    progress: (line) => context.log("info", line),
  });
  if (settled.failure !== undefined) {
    const reasons = [settled.failure, ...(await failuresOf(client, namespace, wanted.ID))];
    throw new InitializationFailed(id, outputs as never, [reasons.join("\n")]);
  }
  return { id, outputs };
}

async function parse(client: NomadClient, { jobspec, variables }: Inputs): Promise<Specification> {
  return await client.json<Specification>("/v1/jobs/parse", {
    method: "POST",
    body: { JobHCL: jobspec, Variables: variableFile(variables), Canonicalize: true },
    connectWithinMs,
  });
}

async function planOf(client: NomadClient, job: Specification): Promise<Plan> {
  return await client.json<Plan>(`/v1/job/${encodeURIComponent(job.ID)}/plan`, {
    method: "POST",
    query: { namespace: job.Namespace },
    body: { Job: job, Diff: true },
  });
}

/** A purged job's tasks need a moment to end; their ports are free only then. */
async function untilStopped(
  context: Context<Configuration>,
  client: NomadClient,
  namespace: string,
  name: string,
): Promise<void> {
  let index = 0;
  for (;;) {
    const answer = await client.answer<Array<{ ClientStatus: string }>>(
      `/v1/job/${encodeURIComponent(name)}/allocations`,
      { query: { namespace, all: true, index, wait: "10s" }, signal: context.signal },
    );
    if (!answer.body.some(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "pending")) {
      return;
    }
    index = answer.index;
  }
}

async function ignoringMissing(action: Promise<unknown>): Promise<void> {
  try {
    await action;
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 404)) {
      throw error;
    }
  }
}

function clientOf(context: Context<Configuration>): NomadClient {
  return new NomadClient(context.config);
}

function pick(properties: object, names: string[]) {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => names.includes(name)));
}
