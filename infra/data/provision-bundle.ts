import { Bundle } from "@lab/provider-host";
import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import type { Platform } from "../platform/platform.ts";

/** Bundles `jobs/provision/<name>.ts`, which makes a store's users, and gives the job's variables that name it. */
export function provisionBundle(
  name: string,
  platform: Platform,
  artifacts: ArtifactStore,
  parent: pulumi.Resource,
): Record<string, pulumi.Input<string>> {
  const bundle = new Bundle(
    `${name}-provision`,
    {
      name: `${name}-provision`,
      entry: `${platform.folders.root}/jobs/provision/${name}.ts`,
      releases: platform.folders.releases,
    },
    { parent },
  );
  return {
    node: platform.tools.node,
    provision_url: pulumi.interpolate`${artifacts.url}/${bundle.digest}.tar.gz`,
    provision_digest: bundle.digest,
  };
}
