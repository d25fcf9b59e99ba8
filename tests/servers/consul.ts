import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { freePorts } from "../../providers/host/src/ports.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createAgent } from "./agent.ts";

/** A Consul server with access control, by default deny. */
export interface ConsulServer {
  /** Its HTTP API, such as `http://127.0.0.1:21000`. */
  address: string;
  managementToken: string;
  dataDir: string;
  /** Its DNS server, as `host:port`. */
  dns: string;
  /** SIGKILL, as a crash would; its data stays. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a Consul server on free ports, in a temporary folder. */
export async function startConsul(): Promise<ConsulServer> {
  const { consul } = await locateTools();
  const base = await freePorts(6);
  const address = `http://127.0.0.1:${base}`;
  const managementToken = randomUUID();
  const agent = await createAgent(
    "consul",
    consul,
    (folder) => ({
      server: true,
      bootstrap_expect: 1,
      node_name: `test-${base}`,
      data_dir: join(folder, "data"),
      bind_addr: "127.0.0.1",
      client_addr: "127.0.0.1",
      ports: {
        http: base,
        server: base + 1,
        serf_lan: base + 2,
        serf_wan: base + 3,
        dns: base + 5,
        grpc: -1,
        grpc_tls: -1,
      },
      // As in the lab: what doesn't fit an answer over UDP is asked for over TCP.
      dns_config: { enable_truncate: true },
      performance: { raft_multiplier: 1 },
      acl: {
        enabled: true,
        default_policy: "deny",
        tokens: { initial_management: managementToken, agent: managementToken },
      },
      disable_update_check: true,
      log_level: "warn",
    }),
    async () => {
      const headers = { "X-Consul-Token": managementToken };
      return (await fetch(`${address}/v1/acl/token/self`, { headers })).ok;
    },
  );
  try {
    await agent.start();
  } catch (error) {
    await agent.stop();
    throw error;
  }
  return {
    address,
    managementToken,
    dataDir: join(agent.folder, "data"),
    dns: `127.0.0.1:${base + 5}`,
    kill: () => agent.kill(),
    start: () => agent.start(),
    stop: () => agent.stop(),
  };
}
