import { Process } from "@lab/provider-host";
import { AclBootstrap, Provider } from "@lab/provider-nomad";
import * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../environment.ts";
import type { Folders } from "../folders.ts";

export interface NomadAgentArgs {
  environment: Environment;
  folders: Folders;
  /** Path of the `nomad` executable. */
  executable: string;
  /** `host:port` of the Consul agent that services are registered with. */
  consulAddress: string;
  /** The Consul token with which Nomad registers services. */
  consulToken: pulumi.Input<string>;
  /** The management token that the agent is bootstrapped with. */
  managementToken: pulumi.Input<string>;
}

/** A Nomad server and client in one process on loopback, bootstrapped with access control. */
export class NomadAgent extends pulumi.ComponentResource {
  readonly process: Process;
  readonly provider: Provider;
  /** Its HTTP API. */
  readonly url: string;

  constructor(name: string, args: NomadAgentArgs, options?: pulumi.ComponentResourceOptions) {
    super("lab:platform:NomadAgent", name, {}, options);
    const { environment, folders } = args;
    const { ports } = environment;
    const configuration = `${folders.stack}/nomad.hcl`;
    this.url = `http://127.0.0.1:${ports.nomadHttp}`;

    this.process = new Process(
      name,
      {
        command: args.executable,
        args: ["agent", `-config=${configuration}`],
        files: {
          [configuration]: pulumi
            .all([args.consulToken, args.consulAddress])
            .apply(([token, address]) => agentConfiguration(environment, folders, address, token)),
        },
        logFile: `${folders.logs}/nomad.log`,
        stateFolder: folders.nomad,
        ready: { http: `${this.url}/v1/agent/health` },
        ports: [ports.nomadHttp, ports.nomadRpc, ports.nomadSerf],
      },
      { parent: this },
    );
    const bootstrap = new AclBootstrap(
      name,
      { address: this.url, region: environment.region, secretId: args.managementToken },
      { parent: this, dependsOn: this.process, deletedWith: this.process },
    );
    this.provider = new Provider(
      name,
      { address: this.url, region: environment.region, token: bootstrap.secretId },
      { parent: this, dependsOn: bootstrap },
    );
    this.registerOutputs({ url: this.url });
  }
}

/** The agent's configuration file (https://developer.hashicorp.com/nomad/docs/configuration). */
function agentConfiguration(
  environment: Environment,
  folders: Folders,
  consulAddress: string,
  consulToken: string,
): string {
  const { ports } = environment;
  const text = JSON.stringify;
  return `\
name       = ${text(environment.nodeName)}
region     = ${text(environment.region)}
datacenter = ${text(environment.datacenter)}
data_dir   = ${text(folders.nomad)}
bind_addr  = "127.0.0.1"
log_level  = "WARN"

disable_update_check = true
leave_on_interrupt   = false
leave_on_terminate   = false

ports {
  http = ${ports.nomadHttp}
  rpc  = ${ports.nomadRpc}
  serf = ${ports.nomadSerf}
}

advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}

acl {
  enabled = true
}

server {
  enabled          = true
  bootstrap_expect = 1

  # A finished migration stays on record: to Pulumi, a job that was cleaned up is a job that is missing.
  job_gc_threshold        = "87600h"
  batch_eval_gc_threshold = "87600h"

  # A restarted server reads its log anew; with a snapshot it knows its own client at once.
  raft_snapshot_threshold = 1
  raft_snapshot_interval  = "1s"
}

client {
  enabled           = true
  network_interface = "lo"
  min_dynamic_port  = ${ports.dynamicMin}
  max_dynamic_port  = ${ports.dynamicMax}
  cgroup_parent     = ${text(`${environment.nodeName}.slice`)}

  # The cloud probes cost seconds on a machine that is none of theirs.
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
    "driver.allowlist"     = "raw_exec"
  }
}

plugin "raw_exec" {
  config {
    enabled = true
  }
}

consul {
  address = ${text(consulAddress)}
  token   = ${text(consulToken)}
}

ui {
  enabled = true
  label {
    text             = ${text(environment.stack)}
    background_color = "#0e6cc4"
    text_color       = "#ffffff"
  }
}
`;
}
