import { SchedulerConfig } from "@lab/provider-nomad";
import * as pulumi from "@pulumi/pulumi";
import type { Tools } from "../../toolchain/tools.ts";
import type { Environment } from "../environment.ts";
import type { Folders } from "../folders.ts";
import { consulTokenForNomad, openJobsInNomad, openReadingInConsul } from "./access.ts";
import { ConsulAgent } from "./consul-agent.ts";
import { Keyring } from "./keyring.ts";
import { NomadAgent } from "./nomad-agent.ts";

export interface PlatformArgs {
  environment: Environment;
  folders: Folders;
  tools: Tools;
}

/** What everything else runs on: Consul, Nomad and the keys to both. */
export class Platform extends pulumi.ComponentResource {
  readonly environment: Environment;
  readonly folders: Folders;
  readonly tools: Tools;
  readonly keyring: Keyring;
  readonly consul: ConsulAgent;
  readonly nomad: NomadAgent;
  readonly consulToken: pulumi.Output<string>;
  readonly nomadToken: pulumi.Output<string>;
  /** What a job's `memory_max` needs. */
  readonly scheduler: SchedulerConfig;

  constructor(name: string, args: PlatformArgs, options?: pulumi.ComponentResourceOptions) {
    super("lab:platform:Platform", name, {}, options);
    const { environment, folders, tools } = args;
    this.environment = environment;
    this.folders = folders;
    this.tools = tools;
    this.keyring = new Keyring(folders.key, { parent: this });
    this.consulToken = this.keyring.token("consul-management");
    this.nomadToken = this.keyring.token("nomad-management");

    this.consul = new ConsulAgent(
      "consul",
      { environment, folders, executable: tools.consul, managementToken: this.consulToken },
      { parent: this },
    );
    openReadingInConsul(this.consul, this);
    this.nomad = new NomadAgent(
      "nomad",
      {
        environment,
        folders,
        executable: tools.nomad,
        consulAddress: this.consul.address,
        consulToken: consulTokenForNomad(this.consul, this),
        managementToken: this.nomadToken,
      },
      { parent: this },
    );
    openJobsInNomad(this.nomad, this);
    this.scheduler = new SchedulerConfig(
      "scheduler",
      { memoryOversubscriptionEnabled: true },
      { parent: this, provider: this.nomad.provider, deletedWith: this.nomad.process },
    );
    this.registerOutputs({});
  }
}
