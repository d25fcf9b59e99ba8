import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";

/** The relational model: MariaDB, which speaks MySQL's protocol. One database and one user a service. */
export class Mysql extends pulumi.ComponentResource {
  readonly admin: Account;
  readonly #accounts: Map<string, Account>;

  /** @param services those that get an account */
  constructor(
    name: string,
    platform: Platform,
    services: string[],
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:data:Mysql", name, {}, options);
    const { keyring, tools, folders } = platform;
    const at = { host: "127.0.0.1", port: platform.environment.ports.mysql };
    this.admin = { ...at, user: "root", password: keyring.password("mysql-root"), database: "user" };
    this.#accounts = new Map(
      services.map((user) => [
        user,
        { ...at, user, password: keyring.password(`mysql-${user}`), database: user },
      ]),
    );
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
          accounts: services.join(","),
        },
        secrets: {
          root_password: this.admin.password,
          ...Object.fromEntries(
            [...this.#accounts].map(([user, { password }]) => [`${user}_password`, password]),
          ),
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }

  /**
   * The account of a service.
   *
   * @throws Error when it has none
   */
  accountOf(service: string): Account {
    const account = this.#accounts.get(service);
    if (account === undefined) {
      throw new Error(`Service ${service} has no account of MySQL.`);
    }
    return account;
  }
}
