import { existsSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";
import { provisionBundle } from "./provision-bundle.ts";

export type MongodbServer = "mongod" | "ferretdb";

/** The document model: a `mongod`, or FerretDB in its place. */
export class Mongodb extends pulumi.ComponentResource {
  readonly server: MongodbServer;
  /** Absent where the server knows no accounts. */
  readonly admin: Account;
  readonly product: Account;

  constructor(
    name: string,
    platform: Platform,
    artifacts: ArtifactStore,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:data:Mongodb", name, {}, options);
    const { keyring, tools, folders } = platform;
    const dataFolder = `${folders.data}/mongodb`;
    this.server = serverOf(dataFolder, tools.mongodb.kind);
    const at = { host: "127.0.0.1", port: platform.environment.ports.mongodb, database: "product" };
    this.admin = { ...at, user: "root", password: keyring.password("mongodb-root") };
    this.product = { ...at, user: "product", password: keyring.password("mongodb-product") };
    const shared = {
      kind: this.server,
      binary: tools.mongodb.binary,
      probe: `${folders.root}/jobs/probe.pl`,
      data_dir: dataFolder,
      port: at.port,
    };
    const job =
      this.server === "mongod"
        ? {
            variables: { ...shared, ...provisionBundle(name, platform, artifacts, this) },
            secrets: { root_password: this.admin.password, product_password: this.product.password },
          }
        : { variables: shared };
    new NomadJob(name, platform, { file: "mongodb", ...job }, { parent: this, dependsOn: artifacts });
    this.registerOutputs({ server: this.server });
  }
}

/**
 * The server whose data lies in the folder, so that a stack keeps the one with which it was created; for a new stack
 * the one that this machine has.
 */
function serverOf(dataFolder: string, installed: MongodbServer): MongodbServer {
  const written = (["mongod", "ferretdb"] as const).find((kind) => existsSync(`${dataFolder}/${kind}`));
  if (written !== undefined && written !== installed) {
    throw new Error(
      `The data in ${dataFolder} was written by ${written}, but this machine has ${installed}. ` +
        `Install ${written} (./lab toolchain list shows what is there), or move the folder away to start empty.`,
    );
  }
  return installed;
}
