import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePorts } from "../../providers/host/src/ports.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createServerProcess, type ServerProcess } from "./server-process.ts";

/** What a user may do, as the server's configuration has it. */
export interface NatsPermissions {
  publish: string[];
  subscribe: string[];
}

/** A nats-server with JetStream on disk, and one account. */
export interface NatsServer extends ServerProcess {
  /** Such as `nats://127.0.0.1:21000`. */
  url: string;
  /** One who may do everything. */
  operator: { user: string; password: string };
  /** The environment of a service that connects as this user: the operator, or one of those with permissions. */
  environmentOf(user: string): { NATS_URL: string; NATS_USER: string; NATS_PASSWORD: string };
  /** A connection of the operator's. */
  connect(): Promise<NatsOperator>;
  /** Removes its streams; only while it is down. */
  wipe(): Promise<void>;
}

/** Someone who looks into the server. */
export interface NatsOperator {
  manager: JetStreamManager;
  /** Stores any message, without an event's headers. */
  publish(subject: string, payload: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts nats-server on free ports, in a temporary folder.
 *
 * @param users further users, who may do just that
 */
export async function startNats(users: Record<string, NatsPermissions> = {}): Promise<NatsServer> {
  const { nats } = await locateTools();
  const port = await freePorts(2);
  const password = randomUUID();
  const server = await createServerProcess(
    "nats",
    async (folder) => {
      const file = join(folder, "nats.conf");
      // Its format takes JSON.
      const configuration = {
        server_name: "test",
        listen: `127.0.0.1:${port}`,
        http: `127.0.0.1:${port + 1}`,
        jetstream: { store_dir: folder, max_memory_store: 2 ** 25, max_file_store: 2 ** 29 },
        accounts: {
          SYS: { users: [{ user: "system", password }] },
          SHOP: {
            jetstream: "enabled",
            users: [
              { user: "operator", password },
              ...Object.entries(users).map(([user, permissions]) => ({ user, password, permissions })),
            ],
          },
        },
        system_account: "SYS",
      };
      await writeFile(file, JSON.stringify(configuration), { mode: 0o600 });
      return { executable: nats, args: ["-c", file] };
    },
    async () => (await fetch(`http://127.0.0.1:${port + 1}/healthz?js-server-only=true`)).ok,
  );
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  const url = `nats://127.0.0.1:${port}`;
  return {
    ...server,
    url,
    operator: { user: "operator", password },
    environmentOf: (user) => ({ NATS_URL: url, NATS_USER: user, NATS_PASSWORD: password }),
    async connect() {
      const connection = await connect({ servers: url, user: "operator", pass: password });
      const manager = await jetstreamManager(connection);
      return {
        manager,
        publish: async (subject, payload) => void (await manager.jetstream().publish(subject, payload)),
        close: () => connection.close(),
      };
    },
    wipe: () => rm(join(server.folder, "jetstream"), { recursive: true, force: true }),
  };
}
