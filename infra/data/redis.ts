import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";

/** The services whose rights are in `jobs/redis.nomad.hcl`. */
const services = ["cart", "gateway", "user"];

/** The key-value model: Redis. Each of its services may touch the keys only that are meant for it. */
export class Redis extends pulumi.ComponentResource {
  readonly admin: Account;
  readonly #accounts: Map<string, Account>;

  constructor(name: string, platform: Platform, options?: pulumi.ComponentResourceOptions) {
    super("lab:data:Redis", name, {}, options);
    const { keyring, tools, folders } = platform;
    const at = { host: "127.0.0.1", port: platform.environment.ports.redis };
    this.admin = { ...at, user: "admin", password: keyring.password("redis-admin") };
    this.#accounts = new Map(
      services.map((user) => [user, { ...at, user, password: keyring.password(`redis-${user}`) }]),
    );
    new NomadJob(
      name,
      platform,
      {
        file: "redis",
        variables: {
          server: tools.redis.server,
          library_path: tools.redis.libraryPath,
          probe: `${folders.root}/jobs/probe.pl`,
          data_dir: `${folders.data}/redis`,
          port: at.port,
        },
        secrets: {
          admin_password: this.admin.password,
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
      throw new Error(
        `Service ${service} has no account of Redis: jobs/redis.nomad.hcl has no rights for it.`,
      );
    }
    return account;
  }
}
