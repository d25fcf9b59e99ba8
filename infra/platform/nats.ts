import { type MessagingUse, permissionsOf } from "@lab/messaging/permissions";
import * as pulumi from "@pulumi/pulumi";
import { NomadJob } from "./nomad-job.ts";
import type { Platform } from "./platform.ts";

/** Who may enter NATS. */
export interface NatsAccount {
  user: string;
  password: pulumi.Output<string>;
}

/** NATS with JetStream on disk. One user a service, which may publish the types that the service says, and have consumers if it hears any. */
export class Nats extends pulumi.ComponentResource {
  readonly url: string;
  readonly monitorUrl: string;
  /** Who may do everything with the shop's streams. */
  readonly operator: NatsAccount;
  readonly #accounts: Map<string, NatsAccount>;

  /** @param uses what each service that gets a user does with events */
  constructor(
    name: string,
    platform: Platform,
    uses: MessagingUse[],
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:platform:Nats", name, {}, options);
    const { keyring, tools, folders } = platform;
    const { ports, natsSyncInterval } = platform.environment;
    this.url = `nats://127.0.0.1:${ports.nats}`;
    this.monitorUrl = `http://127.0.0.1:${ports.natsMonitor}`;
    const account = (user: string): NatsAccount => ({ user, password: keyring.password(`nats-${user}`) });
    this.operator = account("operator");
    this.#accounts = new Map(uses.map((use) => [use.name, account(use.name)]));
    new NomadJob(
      name,
      platform,
      {
        file: "nats",
        variables: {
          server: tools.nats,
          data_dir: `${folders.data}/nats`,
          port: ports.nats,
          monitor_port: ports.natsMonitor,
          sync_interval: natsSyncInterval,
          users: JSON.stringify(Object.fromEntries(uses.map((use) => [use.name, permissionsOf(use)]))),
        },
        secrets: {
          system_password: keyring.password("nats-system"),
          operator_password: this.operator.password,
          ...Object.fromEntries(
            [...this.#accounts].map(([user, { password }]) => [`${user}_password`, password]),
          ),
        },
      },
      { parent: this },
    );
    this.registerOutputs({ url: this.url });
  }

  /**
   * The user of a service.
   *
   * @throws Error when it has none
   */
  accountOf(service: string): NatsAccount {
    const account = this.#accounts.get(service);
    if (account === undefined) {
      throw new Error(`Service ${service} has no user of NATS.`);
    }
    return account;
  }
}
