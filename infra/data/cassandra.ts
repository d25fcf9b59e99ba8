import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";
import { provisionBundle } from "./provision-bundle.ts";

/** The column-family model: Cassandra. One keyspace and one role a service. */
export class Cassandra extends pulumi.ComponentResource {
  readonly admin: Account;
  readonly analytics: Account;
  /** The name of Cassandra's own data center, which its drivers ask for. */
  readonly localDataCenter = "datacenter1";

  constructor(
    name: string,
    platform: Platform,
    artifacts: ArtifactStore,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:data:Cassandra", name, {}, options);
    const { keyring, tools, folders } = platform;
    const { ports } = platform.environment;
    const at = { host: "127.0.0.1", port: ports.cassandra, database: "analytics" };
    this.admin = { ...at, user: "admin", password: keyring.password("cassandra-admin") };
    this.analytics = { ...at, user: "analytics", password: keyring.password("cassandra-analytics") };
    new NomadJob(
      name,
      platform,
      {
        file: "cassandra",
        variables: {
          java: tools.java,
          lib: tools.cassandra.lib,
          cds_archive: tools.cassandra.cds ?? "",
          probe: `${folders.root}/jobs/probe.pl`,
          data_dir: `${folders.data}/cassandra`,
          port: at.port,
          storage_port: ports.cassandraStorage,
          ssl_storage_port: ports.cassandraSslStorage,
          ...provisionBundle(name, platform, artifacts, this),
        },
        secrets: { admin_password: this.admin.password, analytics_password: this.analytics.password },
      },
      { parent: this, dependsOn: artifacts },
    );
    this.registerOutputs({});
  }
}
