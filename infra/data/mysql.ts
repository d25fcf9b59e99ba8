import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";

/** The relational model: MariaDB, which speaks MySQL's protocol. One database and one user a service. */
export class Mysql extends pulumi.ComponentResource {
  readonly admin: Account;
  readonly user: Account;

  constructor(name: string, platform: Platform, options?: pulumi.ComponentResourceOptions) {
    super("lab:data:Mysql", name, {}, options);
    const { keyring, tools, folders } = platform;
    const at = { host: "127.0.0.1", port: platform.environment.ports.mysql };
    this.admin = { ...at, user: "root", password: keyring.password("mysql-root"), database: "user" };
    this.user = { ...at, user: "user", password: keyring.password("mysql-user"), database: "user" };
    new NomadJob(
      name,
      platform,
      {
        file: "mysql",
        variables: {
          server: tools.mysql.server,
          library_path: tools.mysql.libraryPath,
          home: tools.mysql.home,
          probe: `${folders.root}/jobs/probe.pl`,
          data_dir: `${folders.data}/mysql`,
          port: at.port,
        },
        secrets: { root_password: this.admin.password, user_password: this.user.password },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
