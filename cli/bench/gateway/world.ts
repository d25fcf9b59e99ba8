import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Tools } from "../../../toolchain/tools.ts";
import { type Scene, withScene } from "./scene.ts";

/** What the proxies have around them. */
export interface World {
  /** The instances of the service `product`, which Consul knows. */
  upstreamPorts: number[];
  /** Their processes, in the same order. */
  upstreamPids: number[];
  consulUrl: string;
  redis: { port: number; user: string; password: string };
  people: People;
}

/** Who signs people's tokens: the service `user` in Consul. */
export interface People {
  /** The public key, as JSON. */
  jwks: string;
  jwksPath: string;
  issuer: string;
  audience: string;
  /** Somebody's token, good for an hour. */
  token: string;
  stop(): Promise<void>;
}

/** The path that is asked for. */
export const askedPath = "/api/products/1";

const programs = join(import.meta.dirname, "programs");

/**
 * Starts the instances, and what the gateway needs to work.
 *
 * @param checkInterval how often Consul looks after the instances
 * @param takesMs how long they take to answer
 */
export async function startWorld(
  scene: Scene,
  tools: Tools,
  upstreams: number,
  people: People & { port: number },
  { checkInterval = "5s", takesMs = 0 } = {},
): Promise<World> {
  const upstreamPorts: number[] = [];
  const upstreamPids: number[] = [];
  for (let index = 0; index < upstreams; index++) {
    const port = scene.port();
    upstreamPids.push(
      await startProgram(scene, "upstream", port, { TAKES_MS: String(takesMs) }, `upstream-${index}`),
    );
    upstreamPorts.push(port);
  }
  const consulUrl = await startConsul(scene, tools);
  for (const port of upstreamPorts) {
    await register(consulUrl, "product", port, checkInterval);
  }
  await register(consulUrl, "user", people.port, checkInterval);
  return { upstreamPorts, upstreamPids, consulUrl, redis: await startRedis(scene, tools), people };
}

/** Starts one of the programs beside this file as a process of its own. */
export function startProgram(
  scene: Scene,
  program: "upstream" | "undici-proxy" | "fastify-proxy",
  port: number,
  environment: Record<string, string> = {},
  name: string = program,
): Promise<number> {
  return scene.start({
    name,
    executable: process.execPath,
    args: ["--disable-warning=ExperimentalWarning", join(programs, `${program}.ts`)],
    environment: { PORT: String(port), NODE_ENV: "production", ...environment },
    ready: () => answers(`http://127.0.0.1:${port}${askedPath}`),
  });
}

/** Whether something answers well there. */
export async function answers(url: string, token?: string): Promise<boolean> {
  const response = await fetch(url, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  await response.bytes();
  return response.ok;
}

/** Runs something with a scene of its own, in which somebody publishes keys and has a token. */
export async function withPeople<T>(
  signal: AbortSignal,
  run: (scene: Scene, people: People & { port: number }) => Promise<T>,
): Promise<T> {
  const people = await startPeople();
  try {
    return await withScene(signal, (scene) => run(scene, people));
  } finally {
    await people.stop();
  }
}

/** Publishes a key on a free port of this process, and signs a token with it. */
export async function startPeople(): Promise<People & { port: number }> {
  const [issuer, audience, kid] = ["polyglot-lab", "shop", "bench"];
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const jwks = JSON.stringify({
    keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "EdDSA", use: "sig" }],
  });
  const server = createServer((_request, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end(jwks),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  const now = Math.floor(Date.now() / 1000);
  const signed = [
    { alg: "EdDSA", kid, typ: "JWT" },
    {
      ...{ iss: issuer, aud: audience, sub: "101", name: "Riya", role: "customer" },
      ...{ iat: now, exp: now + 3600, jti: randomUUID() },
    },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return {
    port: (server.address() as AddressInfo).port,
    jwks,
    jwksPath: "/api/users/jwks.json",
    issuer,
    audience,
    token: `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`,
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function startConsul(scene: Scene, { consul }: Tools): Promise<string> {
  const ports = { http: scene.port(), server: scene.port(), serf_lan: scene.port(), serf_wan: scene.port() };
  const url = `http://127.0.0.1:${ports.http}`;
  const file = await scene.write(
    "consul.json",
    JSON.stringify({
      server: true,
      bootstrap_expect: 1,
      node_name: "bench",
      data_dir: join(scene.folder, "consul"),
      bind_addr: "127.0.0.1",
      client_addr: "127.0.0.1",
      ports: { ...ports, dns: -1, grpc: -1, grpc_tls: -1 },
      performance: { raft_multiplier: 1 },
      disable_update_check: true,
      log_level: "warn",
    }),
  );
  await scene.start({
    name: "consul",
    executable: consul,
    args: ["agent", `-config-file=${file}`],
    ready: async () => (await (await fetch(`${url}/v1/status/leader`)).json()) !== "",
  });
  return url;
}

async function register(
  consulUrl: string,
  service: string,
  port: number,
  checkInterval: string,
): Promise<void> {
  const url = `${consulUrl}/v1/agent/service/register`;
  const response = await fetch(url, {
    method: "PUT",
    body: JSON.stringify({
      ID: `${service}-${port}`,
      Name: service,
      Address: "127.0.0.1",
      Port: port,
      Check: {
        HTTP: `http://127.0.0.1:${port}/readyz`,
        Interval: checkInterval,
        Timeout: "2s",
        Status: "passing",
      },
    }),
  });
  if (!response.ok) {
    throw new Error(`Consul answered ${response.status} to PUT ${url}: ${await response.text()}`);
  }
}

async function startRedis(scene: Scene, { redis }: Tools): Promise<World["redis"]> {
  const [port, user, password] = [scene.port(), "gateway", randomUUID()];
  const rules = await scene.write(
    "users.acl",
    `user default off\nuser ${user} on >${password} ~* &* +@all\n`,
  );
  await scene.start({
    name: "redis",
    executable: redis.server,
    args: [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", scene.folder],
      ...["--save", "", "--appendonly", "no", "--aclfile", rules],
    ],
    environment: { LD_LIBRARY_PATH: redis.libraryPath },
    async ready() {
      const client = new Redis({ port, username: user, password, maxRetriesPerRequest: 0 });
      // Without a listener ioredis prints what its promises say anyhow.
      client.on("error", () => undefined);
      try {
        return (await client.ping()) === "PONG";
      } finally {
        client.disconnect();
      }
    },
  });
  return { port, user, password };
}
