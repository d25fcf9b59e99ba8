import { readFileSync } from "node:fs";
import { Job, Variable } from "@lab/provider-nomad";
import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "./platform.ts";

export interface NomadJobArgs {
  /** The file in `jobs/`, without `.nomad.hcl`. */
  file: string;
  /** Values of the file's variables, beside those that every job gets. */
  variables: Record<string, pulumi.Input<string | number>>;
  /** What the tasks of the job may read as Nomad Variable `nomad/jobs/<name>`. */
  secrets?: Record<string, pulumi.Input<string>>;
}

/** A job of `jobs/` and the secrets that its tasks may read. Its name is the job's name in Nomad. */
export class NomadJob extends pulumi.ComponentResource {
  readonly job: Job;

  constructor(
    name: string,
    platform: Platform,
    args: NomadJobArgs,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:platform:NomadJob", name, {}, options);
    const inAgent = {
      parent: this,
      provider: platform.nomad.provider,
      deletedWith: platform.nomad.process,
    };
    const secrets =
      args.secrets && Object.keys(args.secrets).length > 0
        ? [new Variable(name, { path: `nomad/jobs/${name}`, items: args.secrets }, inAgent)]
        : [];
    this.job = new Job(
      name,
      {
        jobspec: readFileSync(`${platform.folders.root}/jobs/${args.file}.nomad.hcl`, "utf8"),
        variables: {
          datacenter: platform.environment.datacenter,
          ...Object.fromEntries(
            Object.entries(args.variables).map(([key, value]) => [key, pulumi.output(value).apply(String)]),
          ),
        },
      },
      { ...inAgent, dependsOn: [...secrets, platform.scheduler] },
    );
    this.registerOutputs({});
  }
}
