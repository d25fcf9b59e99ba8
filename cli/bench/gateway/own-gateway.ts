import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archiveOf } from "../../../providers/host/src/bundle.ts";
import { run } from "../../../toolchain/run.ts";
import type { Scene } from "./scene.ts";
import { answers, askedPath, type World } from "./world.ts";

/** The gateway's program, bundled as it is deployed. */
export interface GatewayProgram {
  main: string;
  /** Where it writes what the processor was busy with, when it ends. */
  profileFolder?: string;
}

/** One process of the gateway. */
export interface GatewayProcess {
  pid: number;
  /** Where it answers. */
  origin: string;
}

/** All are logged in with the same key of internal tokens, as the instances of one stack are. */
const internalTokenSecret = randomBytes(32).toString("base64url");

/**
 * Counts each request, and refuses none. It asks Redis less often than with a limit that somebody would set: a gateway takes 0.5 % of a
 * window at once, which is 500,000 requests here and 60 with the default of 12,000.
 */
const policies = { rateLimit: { identity: { limit: 100_000_000, windowSeconds: 60 } } };

const entry = join(import.meta.dirname, "..", "..", "..", "services", "gateway", "src", "main.ts");

/** Bundles the gateway into the scene's folder. */
export async function bundleGateway(scene: Scene, profileFolder?: string): Promise<GatewayProgram> {
  const folder = join(scene.folder, "gateway");
  await mkdir(folder);
  await writeFile(join(folder, "bundle.tar.gz"), await archiveOf(entry));
  await run("tar", ["-xzf", "bundle.tar.gz"], { cwd: folder });
  return { main: join(folder, "main.js"), profileFolder };
}

/**
 * Starts a process of the gateway with everything on, and its access log in a file.
 *
 * @param sharedPort the port that it shares with others
 * @param upstream its policies of instances where they differ from its defaults
 */
export async function startGateway(
  scene: Scene,
  { main, profileFolder }: GatewayProgram,
  world: World,
  sharedPort: number,
  name = "gateway",
  upstream: object = {},
): Promise<GatewayProcess> {
  const port = scene.port();
  const origin = `http://127.0.0.1:${sharedPort}`;
  const profiling = profileFolder ? ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`] : [];
  const pid = await scene.start({
    name,
    executable: process.execPath,
    args: [...profiling, "--enable-source-maps", main],
    environment: environmentOf(world, port, sharedPort, upstream),
    ready: async () =>
      // Who answers at the shared port may be another one.
      (await answers(`http://127.0.0.1:${port}/readyz`)) &&
      (await answers(`${origin}${askedPath}`, world.people.token)),
  });
  return { pid, origin };
}

function environmentOf(
  { consulUrl, redis, people }: World,
  port: number,
  sharedPort: number,
  upstream: object,
): Record<string, string> {
  return {
    SERVICE_NAME: "gateway",
    ENVIRONMENT: "bench",
    INSTANCE_ID: String(port),
    NODE_ENV: "production",
    HOST: "127.0.0.1",
    PORT: String(port),
    GATEWAY_PORT: String(sharedPort),
    CONSUL_URL: consulUrl,
    ROUTES: JSON.stringify([{ prefix: "/api/products", service: "product" }]),
    POLICIES: JSON.stringify({ ...policies, upstream }),
    JWT_ISSUER: people.issuer,
    JWT_AUDIENCE: people.audience,
    JWKS_SERVICE: "user",
    JWKS_PATH: people.jwksPath,
    INTERNAL_TOKEN_SECRET: internalTokenSecret,
    INTERNAL_ISSUER: "gateway",
    INTERNAL_AUDIENCE: "shop-services",
    REDIS_HOST: "127.0.0.1",
    REDIS_PORT: String(redis.port),
    REDIS_USER: redis.user,
    REDIS_PASSWORD: redis.password,
  };
}
