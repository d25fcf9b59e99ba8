import { Bundle } from "@lab/provider-host";
import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Variables } from "./variables.ts";

export interface HonoServiceArgs extends Variables {
  artifacts: ArtifactStore;
  /** What Nomad's UI says of the service. */
  description: string;
  /** Whether the service has a schema, which a one-off job of the same bundle brings up to date. */
  migrates?: boolean;
  /** How many instances run; none until the job is scaled, where it is 0. */
  count: number;
  /** A fixed port; without it Nomad picks one for each instance. */
  port?: number;
  /** A fixed port that all instances listen on together. */
  sharedPort?: number;
  /** More fixed ports by their names in Nomad. */
  morePorts?: Record<string, number>;
  /** Files beside its program: paths from the checkout's root by the names that they get. */
  assets?: Readonly<Record<string, string>>;
  /** A folder of its own, which outlives the job; the service finds it as `DATA_DIR`. */
  dataFolder?: string;
  /** How much memory it may use, in MiB, where the job file's default won't do. */
  memoryMaxMib?: number;
  /** The service whose code it runs, where that is another. */
  runs?: HonoService;
}

/** A service of the shop: bundled once, fetched by its digest, configured by its environment. */
export class HonoService extends pulumi.ComponentResource {
  readonly digest: pulumi.Output<string>;
  readonly variables: Variables;

  constructor(
    name: string,
    platform: Platform,
    args: HonoServiceArgs,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:shop:HonoService", name, {}, options);
    const { environment, tools } = platform;
    const { settings, secrets } = args;
    this.variables = { settings, secrets };
    this.digest = args.runs?.digest ?? this.#bundle(name, platform, args.assets);
    const variables = {
      name,
      node: tools.node,
      archive_url: pulumi.interpolate`${args.artifacts.url}/${this.digest}.tar.gz`,
      digest: this.digest,
      environment: JSON.stringify({
        SERVICE_NAME: name,
        ENVIRONMENT: environment.stack,
        LOG_LEVEL: environment.logLevel,
        ...settings,
      }),
    };
    const job = { parent: this, dependsOn: args.artifacts };
    if (args.migrates) {
      new NomadJob(`${name}-migrate`, platform, { file: "migrate", variables, secrets }, job);
    }
    new NomadJob(
      name,
      platform,
      {
        file: "service",
        variables: {
          ...variables,
          description: args.description,
          count: args.count,
          port: args.port ?? 0,
          shared_port: args.sharedPort ?? 0,
          more_ports: JSON.stringify(args.morePorts ?? {}),
          data_dir: args.dataFolder ?? "",
          ...(args.memoryMaxMib ? { memory_max: args.memoryMaxMib } : {}),
        },
        secrets,
      },
      job,
    );
    this.registerOutputs({ digest: this.digest });
  }

  #bundle(
    name: string,
    { folders }: Platform,
    assets: HonoServiceArgs["assets"] = {},
  ): pulumi.Output<string> {
    const fromRoot = Object.entries(assets).map(([as, path]) => [as, `${folders.root}/${path}`]);
    return new Bundle(
      name,
      {
        name,
        entry: `${folders.root}/services/${name}/src/main.ts`,
        ...(fromRoot.length > 0 ? { assets: Object.fromEntries(fromRoot) } : {}),
        releases: folders.releases,
      },
      { parent: this },
    ).digest;
  }
}
