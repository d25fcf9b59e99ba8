import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "./nomad-job.ts";
import type { Platform } from "./platform.ts";

/** NATS with JetStream on disk. */
export class Nats extends pulumi.ComponentResource {
  readonly url: string;
  readonly monitorUrl: string;
  readonly user = "shop";
  readonly password: pulumi.Output<string>;

  constructor(name: string, platform: Platform, options?: pulumi.ComponentResourceOptions) {
    super("lab:platform:Nats", name, {}, options);
    const { ports, natsSyncInterval } = platform.environment;
    this.url = `nats://127.0.0.1:${ports.nats}`;
    this.monitorUrl = `http://127.0.0.1:${ports.natsMonitor}`;
    this.password = platform.keyring.password("nats-shop");
    new NomadJob(
      name,
      platform,
      {
        file: "nats",
        variables: {
          server: platform.tools.nats,
          data_dir: `${platform.folders.data}/nats`,
          port: ports.nats,
          monitor_port: ports.natsMonitor,
          sync_interval: natsSyncInterval,
        },
        secrets: {
          system_password: platform.keyring.password("nats-system"),
          shop_password: this.password,
        },
      },
      { parent: this },
    );
    this.registerOutputs({ url: this.url });
  }
}
