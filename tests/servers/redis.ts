import { createHash, randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Redis } from "ioredis";
import { freePorts } from "../../providers/host/src/ports.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createServerProcess, type ServerProcess } from "./server-process.ts";

/** A Redis that lets each service do what the job's own rules let it do, with one password for all. */
export interface RedisServer extends ServerProcess {
  /** What a service is told of it. */
  environmentOf(service: string): {
    REDIS_HOST: string;
    REDIS_PORT: string;
    REDIS_USER: string;
    REDIS_PASSWORD: string;
  };
  /** A connection of one who may do everything. */
  connect(): Redis;
}

const jobFile = resolve(import.meta.dirname, "..", "..", "jobs", "redis.nomad.hcl");

/** Starts Redis on a free port, in a temporary folder. */
export async function startRedis(): Promise<RedisServer> {
  const { redis } = await locateTools();
  const port = await freePorts(1);
  const password = randomUUID();
  const connect = () =>
    new Redis({ host: "127.0.0.1", port, username: "admin", password, maxRetriesPerRequest: 0 })
      // Without a listener ioredis prints what its promises say anyhow.
      .on("error", () => undefined);
  const server = await createServerProcess(
    "redis",
    async (folder) => {
      await writeFile(join(folder, "users.acl"), await rulesWith(password), { mode: 0o600 });
      return {
        executable: redis.server,
        args: [
          ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
          ...["--appendonly", "yes", "--aclfile", join(folder, "users.acl")],
        ],
        ...(redis.libraryPath && { environment: { LD_LIBRARY_PATH: redis.libraryPath } }),
      };
    },
    async () => {
      const client = connect();
      try {
        return (await client.ping()) === "PONG";
      } finally {
        client.disconnect();
      }
    },
  );
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ...server,
    environmentOf: (service) => ({
      REDIS_HOST: "127.0.0.1",
      REDIS_PORT: String(port),
      REDIS_USER: service,
      REDIS_PASSWORD: password,
    }),
    connect,
  };
}

/** The rules of the job file, with one password for all. */
async function rulesWith(password: string): Promise<string> {
  const hash = createHash("sha256").update(password).digest("hex");
  const rules = (await readFile(jobFile, "utf8")).match(/^ *user \w+ (on|off) .*$/gm) ?? [];
  return `${rules.map((rule) => rule.trim().replace(/#\{\{.*?\}\}/, `#${hash}`)).join("\n")}\n`;
}
