import {
  type Change,
  type Context,
  compare,
  InitializationFailed,
  type ResourceHandler,
} from "@lab/provider-base";
import { z } from "zod";
import { NomadClient, segment, UnreachableError } from "./client.ts";
import type { Configuration } from "./configuration.ts";
import { failuresOf, hasFailed, type JobVersion, untilSettled } from "./deployment.ts";
import { variableFile } from "./hcl.ts";
import { changesOf, type JobDiff } from "./plan.ts";

const inputsSchema = z.strictObject({
  jobspec: z.string().min(1),
  variables: z.record(z.string(), z.string()).default({}),
  purgeOnDelete: z.boolean().default(true),
  // Longer than the deadlines that a job usually sets itself, so that Nomad's own verdict comes first.
  timeoutMs: z.number().int().positive().default(420_000),
});

type Inputs = z.infer<typeof inputsSchema>;

/** As much of a job as the provider uses (`api.Job`); the rest goes from the parser to the server as it is. */
interface Specification {
  ID: string;
  Namespace: string;
  Type: string;
  [field: string]: unknown;
}

/** A job as Nomad keeps it. */
interface RegisteredJob extends Specification {
  Stop: boolean;
  Version: number;
  JobModifyIndex: number;
  TaskGroups: Array<{ Name: string; Count: number }>;
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
}

/** How long the tasks of a deleted job may take to end. */
const stopWithinMs = 120_000;

/** `nomad:index/job:Job`: a job that counts as created or updated once Nomad calls its deployment healthy. */
export const jobHandler: ResourceHandler<Inputs, Outputs, Configuration> = {
  type: "nomad:index/job:Job",
  inputs: inputsSchema,

  async diff(context, { olds, oldInputs, news }) {
    const client = new NomadClient(context.config);
    const settings = ["purgeOnDelete", "timeoutMs"];
    const local = compare(pick(oldInputs, settings), pick(news, settings));
    try {
      const wanted = await parse(client, news);
      if (wanted.ID !== olds.name || wanted.Namespace !== olds.namespace) {
        return { changes: { ...local, name: "update-replace" } };
      }
      const { Diff, JobModifyIndex } = await planOf(client, wanted);
      if (Diff.Type === "Added") {
        return { changes: { ...local, job: "add" } };
      }
      if (
        Diff.Type === "None" &&
        (await hasFailed(client, await versionAt(client, wanted, JobModifyIndex)))
      ) {
        return { changes: { ...local, deployment: "update" } };
      }
      return { changes: { ...local, ...changesOf(Diff) } };
    } catch (error) {
      if (!(error instanceof UnreachableError)) {
        throw error;
      }
      // As in a preview while the agent is dead; an update restarts the agent first.
      context.log("warning", `${error.message} Until then only the inputs can be compared.`);
      return { changes: compare(oldInputs, news as never) as Record<string, Change> };
    }
  },

  create(context, { inputs }) {
    return apply(context, inputs);
  },

  async read({ config }, { id, inputs, outputs }) {
    const client = new NomadClient(config);
    const { namespace, name } = parseId(id);
    const job = await find(client, namespace, name);
    if (!job || job.Stop) {
      return undefined;
    }
    const facts = { name, namespace, type: job.Type, jobModifyIndex: job.JobModifyIndex };
    if (outputs.name !== undefined) {
      return { id, inputs, outputs: { ...(outputs as Outputs), ...facts } };
    }
    const submission = await client.find<{ Source: string; VariableFlags: Record<string, string> | null }>(
      `/v1/job/${segment(name)}/submission`,
      { query: { namespace, version: job.Version } },
    );
    if (!submission?.Source) {
      throw new Error(`Job ${name} was registered without its source, so it can't be imported.`);
    }
    const imported = inputsSchema.parse({
      jobspec: submission.Source,
      variables: submission.VariableFlags ?? {},
    });
    return { id, inputs: imported, outputs: { ...imported, ...facts } };
  },

  update(context, { inputs }) {
    return apply(context, inputs);
  },

  async delete(context, { id, outputs }) {
    const client = new NomadClient(context.config);
    const { namespace, name } = parseId(id);
    await stopJob(client, namespace, name, context.signal);
    if (outputs.purgeOnDelete) {
      await purge(client, namespace, name);
    }
  },
};

/**
 * Registers the job unless Nomad has it already, as when an earlier run registered it and could not record that, and waits
 * until it runs as it should.
 */
async function apply(context: Context<Configuration>, inputs: Inputs) {
  const client = new NomadClient(context.config);
  const wanted = await parse(client, inputs);
  const plan = await planOf(client, wanted);
  let index = plan.JobModifyIndex;
  if (plan.Diff.Type !== "None") {
    index = await register(client, inputs, wanted, index);
  } else if (await hasFailed(client, await versionAt(client, wanted, index))) {
    // Nomad ignores a specification that it knows, and starts no allocation that it gave up in the place of which it may
    // start no other. As a new job it gets a new try.
    await stopJob(client, wanted.Namespace, wanted.ID, context.signal);
    await purge(client, wanted.Namespace, wanted.ID);
    index = await register(client, inputs, wanted, (await planOf(client, wanted)).JobModifyIndex);
  }
  const version = await versionAt(client, wanted, index);
  const { name, namespace, type, jobModifyIndex } = version;
  const id = `${namespace}/${name}`;
  const outputs: Outputs = { ...inputs, name, namespace, type, jobModifyIndex };
  const failed = (...reasons: string[]) =>
    new InitializationFailed(id, outputs as never, [reasons.join("\n")]);
  let failure: string | undefined;
  try {
    failure = await untilSettled(client, version, {
      timeoutMs: inputs.timeoutMs,
      signal: context.signal,
      progress: (line) => context.log("info", line),
    });
  } catch (error) {
    throw failed(
      `Job ${name} is registered; whether it became healthy is not known: ${(error as Error).message}`,
    );
  }
  if (failure !== undefined) {
    throw failed(failure, ...(await failuresOf(client, version)));
  }
  return { id, outputs };
}

async function parse(client: NomadClient, { jobspec, variables }: Inputs): Promise<Specification> {
  return await client.json<Specification>("/v1/jobs/parse", {
    method: "POST",
    body: { JobHCL: jobspec, Variables: variableFile(variables), Canonicalize: true },
  });
}

async function planOf(client: NomadClient, job: Specification): Promise<Plan> {
  return await client.json<Plan>(`/v1/job/${segment(job.ID)}/plan`, {
    method: "POST",
    query: { namespace: job.Namespace },
    body: { Job: job, Diff: true },
  });
}

/**
 * @param index the job's index in the plan: registering is refused when someone else changed it since
 * @returns its index from now on
 */
async function register(
  client: NomadClient,
  inputs: Inputs,
  job: Specification,
  index: number,
): Promise<number> {
  const { JobModifyIndex } = await client.json<{ JobModifyIndex: number }>("/v1/jobs", {
    method: "POST",
    query: { namespace: job.Namespace },
    body: {
      Job: job,
      EnforceIndex: true,
      JobModifyIndex: index,
      Submission: { Source: inputs.jobspec, Format: "hcl2", VariableFlags: inputs.variables },
    },
  });
  return JobModifyIndex;
}

function find(client: NomadClient, namespace: string, name: string): Promise<RegisteredJob | undefined> {
  return client.find<RegisteredJob>(`/v1/job/${segment(name)}`, { query: { namespace } });
}

/**
 * The version that was registered at the index, which need not be the latest: Nomad may have rolled it back since, and that
 * must not be taken for success.
 */
async function versionAt(
  client: NomadClient,
  { ID, Namespace }: Specification,
  index: number,
): Promise<JobVersion> {
  const answer = await client.find<{ Versions: RegisteredJob[] }>(`/v1/job/${segment(ID)}/versions`, {
    query: { namespace: Namespace },
  });
  const job = answer?.Versions.find(({ JobModifyIndex }) => JobModifyIndex === index);
  if (!job) {
    throw new Error(`Someone removed or replaced job ${ID} while it was being registered.`);
  }
  return {
    name: ID,
    namespace: Namespace,
    type: job.Type,
    version: job.Version,
    jobModifyIndex: job.JobModifyIndex,
    groups: job.TaskGroups.filter(({ Count }) => Count > 0).map(({ Name }) => Name),
  };
}

/** Stops a job and waits until its tasks have ended; their ports are free only then. */
async function stopJob(
  client: NomadClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await client.find(`/v1/job/${segment(name)}`, { method: "DELETE", query: { namespace } });
  await untilStopped(client, namespace, name, signal);
}

/** Removes a stopped job from Nomad's records, and its allocations: of a running one, nobody could tell when it has ended. */
async function purge(client: NomadClient, namespace: string, name: string): Promise<void> {
  await client.find(`/v1/job/${segment(name)}`, { method: "DELETE", query: { namespace, purge: true } });
}

async function untilStopped(
  client: NomadClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + stopWithinMs;
  for (let index = 0; ; ) {
    const answer = await client.answer<Array<{ ClientStatus: string }>>(
      `/v1/job/${segment(name)}/allocations`,
      { query: { namespace, all: true, index, wait: "5s" }, signal },
    );
    if (!answer.body.some(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "pending")) {
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(
        `The tasks of job ${name} still run ${stopWithinMs / 1000} s after it was stopped; \`nomad job status ${name}\` shows them.`,
      );
    }
    index = answer.index;
  }
}

/** `<namespace>/<job>`; a job's own name may hold slashes. */
function parseId(id: string): { namespace: string; name: string } {
  const slash = id.indexOf("/");
  if (slash < 0) {
    return { namespace: "default", name: id };
  }
  return { namespace: id.slice(0, slash), name: id.slice(slash + 1) };
}

function pick(properties: object, names: string[]) {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => names.includes(name)));
}
