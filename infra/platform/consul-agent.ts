import { Process } from "@lab/provider-host";
import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../environment.ts";
import type { Folders } from "../folders.ts";

export interface ConsulAgentArgs {
  environment: Environment;
  folders: Folders;
  /** Path of the `consul` executable. */
  executable: string;
  /** The token that may do everything; the agent creates it at its first start. */
  managementToken: pulumi.Input<string>;
}

/** A Consul server on loopback, with access control: what is open to read without a token is in `open-to-all.ts`. */
export class ConsulAgent extends pulumi.ComponentResource {
  readonly process: Process;
  readonly provider: consul.Provider;
  /** Its HTTP API as `host:port`. */
  readonly address: string;

  constructor(name: string, args: ConsulAgentArgs, options?: pulumi.ComponentResourceOptions) {
    super("lab:platform:ConsulAgent", name, {}, options);
    const { environment, folders } = args;
    const { ports } = environment;
    const configuration = `${folders.stack}/consul.json`;
    this.address = `127.0.0.1:${ports.consulHttp}`;

    this.process = new Process(
      name,
      {
        command: args.executable,
        args: ["agent", `-config-file=${configuration}`],
        files: {
          [configuration]: pulumi
            .output(args.managementToken)
            .apply((token) => JSON.stringify(agentConfiguration(environment, folders, token), null, 2)),
        },
        logFile: `${folders.logs}/consul.log`,
        stateFolder: folders.consul,
        // Answers once a leader is elected and has created the token; the open endpoints answer before that.
        ready: {
          http: `http://${this.address}/v1/acl/token/self`,
          headers: { "X-Consul-Token": args.managementToken },
        },
        ports: [
          ports.consulHttp,
          ports.consulServer,
          ports.consulSerfLan,
          ports.consulSerfWan,
          ports.consulDns,
        ],
      },
      { parent: this },
    );
    this.provider = new consul.Provider(
      name,
      {
        address: this.address,
        scheme: "http",
        datacenter: environment.datacenter,
        token: pulumi.secret(args.managementToken),
      },
      { parent: this, dependsOn: this.process },
    );
    this.registerOutputs({ address: this.address });
  }
}

/** The agent's configuration file (https://developer.hashicorp.com/consul/docs/agent/config/config-files). */
function agentConfiguration(environment: Environment, folders: Folders, managementToken: string) {
  const { ports } = environment;
  return {
    server: true,
    bootstrap_expect: 1,
    datacenter: environment.datacenter,
    node_name: environment.nodeName,
    data_dir: folders.consul,
    bind_addr: "127.0.0.1",
    client_addr: "127.0.0.1",
    ports: {
      http: ports.consulHttp,
      server: ports.consulServer,
      serf_lan: ports.consulSerfLan,
      serf_wan: ports.consulSerfWan,
      dns: ports.consulDns,
      grpc: -1,
      grpc_tls: -1,
    },
    // A lone server need not wait for others before it elects itself: 3 s instead of 12 after a restart.
    performance: { raft_multiplier: 1 },
    // An answer over UDP holds three instances at most; with this it says that there are more, and resolvers ask over TCP.
    dns_config: { enable_truncate: true },
    ui_config: { enabled: true },
    acl: {
      enabled: true,
      default_policy: "deny",
      tokens: { initial_management: managementToken, agent: managementToken },
    },
    leave_on_terminate: false,
    disable_update_check: true,
    log_level: "warn",
  };
}
