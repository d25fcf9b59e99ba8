import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";

/** The graph model: Neo4j Community, which knows users but no roles, so that its service is the one user. */
export class Neo4j extends pulumi.ComponentResource {
  readonly admin: Account;
  /** Where the Neo4j Browser answers. */
  readonly browserUrl: string;
  /** Where drivers connect. */
  readonly boltUrl: string;

  constructor(name: string, platform: Platform, options?: pulumi.ComponentResourceOptions) {
    super("lab:data:Neo4j", name, {}, options);
    const { keyring, tools, folders } = platform;
    const { ports } = platform.environment;
    this.admin = {
      host: "127.0.0.1",
      port: ports.neo4jBolt,
      user: "neo4j",
      password: keyring.password("neo4j"),
      database: "neo4j",
    };
    this.browserUrl = `http://127.0.0.1:${ports.neo4jHttp}/browser/`;
    this.boltUrl = `bolt://127.0.0.1:${ports.neo4jBolt}`;
    new NomadJob(
      name,
      platform,
      {
        file: "neo4j",
        variables: {
          java: tools.java,
          lib: tools.neo4j.lib,
          cds_archive: tools.neo4j.cds ?? "",
          probe: `${folders.root}/jobs/probe.pl`,
          data_dir: `${folders.data}/neo4j`,
          port_bolt: ports.neo4jBolt,
          port_http: ports.neo4jHttp,
        },
        secrets: { neo4j_password: this.admin.password },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
