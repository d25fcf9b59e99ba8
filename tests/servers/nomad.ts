import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { freePorts } from "../../providers/host/src/ports.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createAgent, until } from "./agent.ts";

export interface NomadOptions {
  /** `host:port` or URL of the Consul to register services with. Without one Nomad is alone. */
  consulAddress?: string;
  consulToken?: string;
  /** First and last dynamic port. */
  dynamicPorts?: [number, number];
}

/** A Nomad server and client in one process, with access control and the raw_exec driver. */
export interface NomadServer {
  /** Its HTTP API, such as `http://127.0.0.1:21000`. */
  address: string;
  bootstrapToken: string;
  dataDir: string;
  /** SIGKILL, as a crash would; tasks and data stay. */
  kill(): Promise<void>;
  /** Starts it again on its data; resolves as soon as it answers, which is before it has a leader. */
  restart(): Promise<void>;
  /** Ends it with all of its tasks, and removes its data. */
  stop(): Promise<void>;
}

/** Starts Nomad on free ports, in a temporary folder, and bootstraps its access control. */
export async function startNomad(options: NomadOptions = {}): Promise<NomadServer> {
  const { nomad } = await locateTools();
  const base = await freePorts(60);
  const address = `http://127.0.0.1:${base}`;
  const bootstrapToken = randomUUID();
  const [minPort, maxPort] = options.dynamicPorts ?? [base + 10, base + 59];
  const agent = await createAgent(
    "nomad",
    nomad,
    (folder) => ({
      name: `test-${base}`,
      data_dir: join(folder, "data"),
      bind_addr: "127.0.0.1",
      advertise: { http: "127.0.0.1", rpc: "127.0.0.1", serf: "127.0.0.1" },
      ports: { http: base, rpc: base + 1, serf: base + 2 },
      acl: { enabled: true },
      server: { enabled: true, bootstrap_expect: 1 },
      client: {
        enabled: true,
        network_interface: "lo",
        min_dynamic_port: minPort,
        max_dynamic_port: maxPort,
        cgroup_parent: `test-${base}.slice`,
        options: { "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean" },
      },
      plugin: { raw_exec: { config: { enabled: true } } },
      ...(options.consulAddress
        ? { consul: { address: options.consulAddress.replace(/^http:\/\//, ""), token: options.consulToken } }
        : {}),
      disable_update_check: true,
      log_level: "WARN",
    }),
    async () => (await fetch(`${address}/v1/agent/health`)).ok,
  );
  const server = {
    address,
    bootstrapToken,
    dataDir: join(agent.folder, "data"),
    kill: () => agent.kill(),
    restart: () => agent.start(),
    stop: () => agent.stop(),
  };
  try {
    await agent.start();
    await bootstrap(address, bootstrapToken);
  } catch (error) {
    await agent.stop();
    throw error;
  }
  return server;
}

async function bootstrap(address: string, secret: string): Promise<void> {
  await until("Nomad to be bootstrapped", async () => {
    const body = JSON.stringify({ BootstrapSecret: secret });
    return (await fetch(`${address}/v1/acl/bootstrap`, { method: "POST", body })).ok;
  });
  await until("Nomad's client to be ready", async () => {
    const response = await fetch(`${address}/v1/nodes`, { headers: { "X-Nomad-Token": secret } });
    return ((await response.json()) as { Status: string }[])[0]?.Status === "ready";
  });
}
