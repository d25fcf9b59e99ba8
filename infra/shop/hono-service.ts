import { Bundle } from "@lab/provider-host";
import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { ServiceName } from "./services.ts";

export interface HonoServiceArgs {
  artifacts: ArtifactStore;
  /** What Nomad's UI says of the service. */
  description: string;
  /** Plain settings of the service, as environment variables. */
  settings: Record<string, pulumi.Input<string>>;
  /** Secret settings, which reach the tasks through a Nomad Variable. */
  secrets: Record<string, pulumi.Input<string>>;
  /** Whether the service has a schema, which a one-off job of the same bundle brings up to date. */
  migrates: boolean;
  /** A fixed port; without it Nomad picks one for each instance. */
  port?: number;
}

/** A service of the shop: bundled once, fetched by its digest, configured by its environment. */
export class HonoService extends pulumi.ComponentResource {
  readonly digest: pulumi.Output<string>;

  constructor(
    name: ServiceName,
    platform: Platform,
    args: HonoServiceArgs,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:shop:HonoService", name, {}, options);
    const { environment, folders, tools } = platform;
    const bundle = new Bundle(
      name,
      { name, entry: `${folders.root}/services/${name}/src/main.ts`, releases: folders.releases },
      { parent: this },
    );
    this.digest = bundle.digest;
    const variables = {
      name,
      node: tools.node,
      archive_url: pulumi.interpolate`${args.artifacts.url}/${bundle.digest}.tar.gz`,
      digest: bundle.digest,
      environment: pulumi.jsonStringify({
        SERVICE_NAME: name,
        ENVIRONMENT: environment.stack,
        LOG_LEVEL: environment.logLevel,
        ...args.settings,
      }),
    };
    const job = { parent: this, dependsOn: args.artifacts };
    if (args.migrates) {
      new NomadJob(`${name}-migrate`, platform, { file: "migrate", variables, secrets: args.secrets }, job);
    }
    new NomadJob(
      name,
      platform,
      {
        file: "service",
        variables: {
          ...variables,
          description: args.description,
          count: environment.instancesOf(name),
          port: args.port ?? 0,
        },
        secrets: args.secrets,
      },
      job,
    );
    this.registerOutputs({ digest: this.digest });
  }
}
