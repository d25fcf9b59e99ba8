import { randomBytes } from "node:crypto";
import { startPeople } from "../../cli/bench/gateway/world.ts";
import { cleanUp } from "../../cli/clean-up.ts";
import { freePorts } from "../../providers/host/src/ports.ts";
import { startRedis } from "../servers/redis.ts";
import { startRegistry } from "../servers/registry.ts";
import { type ServiceProcess, startService } from "../servers/service.ts";
import { until } from "./until.ts";

/** The gateway in front of instances, with a real Consul and a real Redis. */
export interface GatewayWorld {
  gateway: ServiceProcess;
  /** The public one. */
  port: number;
  /** The token of somebody who is signed in. */
  token: string;
  stop(): Promise<void>;
}

/**
 * Starts the gateway with one route, `/api/things`.
 *
 * @param upstreamPort the port of the instance behind it
 * @param settings further variables
 */
export async function startGatewayWorld(
  upstreamPort: number,
  settings: Record<string, string> = {},
): Promise<GatewayWorld> {
  const [registry, redis, people] = await Promise.all([startRegistry(), startRedis(), startPeople()]);
  const surroundings = [() => registry.stop(), () => redis.stop(), () => people.stop()];
  try {
    await registry.register("thing", upstreamPort);
    await registry.register("user", people.port);
    const port = await freePorts(1);
    const gateway = await startService("gateway", {
      GATEWAY_PORT: String(port),
      CONSUL_URL: registry.url,
      ROUTES: JSON.stringify([
        { prefix: "/api/things", service: "thing" },
        { prefix: "/api/users", service: "user" },
      ]),
      JWT_ISSUER: people.issuer,
      JWT_AUDIENCE: people.audience,
      INTERNAL_TOKEN_SECRET: randomBytes(32).toString("base64url"),
      ...redis.environmentOf("gateway"),
      ...settings,
    });
    await until("the gateway to know its instances", async () => (await fetch(`${gateway.url}/readyz`)).ok);
    return {
      gateway,
      port,
      token: people.token,
      stop: () => cleanUp([() => gateway.kill(), ...surroundings]),
    };
  } catch (error) {
    await cleanUp(surroundings);
    throw error;
  }
}
