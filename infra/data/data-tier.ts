import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import type { Platform } from "../platform/platform.ts";
import { servicesWith } from "../shop/services.ts";
import { Cassandra } from "./cassandra.ts";
import { Mongodb } from "./mongodb.ts";
import { Mysql } from "./mysql.ts";
import { Neo4j } from "./neo4j.ts";
import { Redis } from "./redis.ts";

/** Five stores, one for each storage model. */
export class DataTier extends pulumi.ComponentResource {
  readonly mysql: Mysql;
  readonly mongodb: Mongodb;
  readonly cassandra: Cassandra;
  readonly redis: Redis;
  readonly neo4j: Neo4j;

  constructor(
    name: string,
    platform: Platform,
    artifacts: ArtifactStore,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:data:DataTier", name, {}, options);
    this.mysql = new Mysql("mysql", platform, servicesWith("mysql"), { parent: this });
    this.mongodb = new Mongodb("mongodb", platform, artifacts, { parent: this });
    this.cassandra = new Cassandra("cassandra", platform, artifacts, { parent: this });
    this.redis = new Redis("redis", platform, { parent: this });
    this.neo4j = new Neo4j("neo4j", platform, { parent: this });
    this.registerOutputs({});
  }
}
