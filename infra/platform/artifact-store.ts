import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "./nomad-job.ts";
import type { Platform } from "./platform.ts";

/** Serves the archives in `.lab/releases/` to Nomad, which fetches artifacts over HTTP only. */
export class ArtifactStore extends pulumi.ComponentResource {
  readonly url: string;

  constructor(name: string, platform: Platform, options?: pulumi.ComponentResourceOptions) {
    super("lab:platform:ArtifactStore", name, {}, options);
    const { environment, folders, tools } = platform;
    this.url = `http://127.0.0.1:${environment.ports.artifacts}`;
    new NomadJob(
      name,
      platform,
      {
        file: "artifacts",
        variables: {
          node: tools.node,
          script: `${folders.root}/jobs/artifacts/server.mjs`,
          releases: folders.releases,
          port: environment.ports.artifacts,
        },
      },
      { parent: this },
    );
    this.registerOutputs({ url: this.url });
  }
}
