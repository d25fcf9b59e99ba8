import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "../platform/nomad-job.ts";
import type { Platform } from "../platform/platform.ts";
import type { Account } from "./account.ts";

/** The key-value model: Redis. Its service may touch its own keys only. */
export class Redis extends pulumi.ComponentResource {
  readonly admin: Account;
  readonly cart: Account;

  constructor(name: string, platform: Platform, options?: pulumi.ComponentResourceOptions) {
    super("lab:data:Redis", name, {}, options);
    const { keyring, tools, folders } = platform;
    const at = { host: "127.0.0.1", port: platform.environment.ports.redis };
    this.admin = { ...at, user: "admin", password: keyring.password("redis-admin") };
    this.cart = { ...at, user: "cart", password: keyring.password("redis-cart") };
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
        secrets: { admin_password: this.admin.password, cart_password: this.cart.password },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
