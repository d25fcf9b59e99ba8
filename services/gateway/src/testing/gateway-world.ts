import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { cleanUp } from "../../../../cli/clean-up.ts";
import { freePorts } from "../../../../providers/host/src/ports.ts";
import { type ConsulServer, startConsul } from "../../../../tests/servers/consul.ts";
import { type RedisServer, startRedis } from "../../../../tests/servers/redis.ts";
import { type ServiceProcess, startService } from "../../../../tests/servers/service.ts";
import { until } from "../../../../tests/support/until.ts";
import type { GatewayReport } from "../report.ts";

const issuer = "polyglot-lab";
const audience = "shop";

/** An instance of the service `thing`, which answers with its name and counts. */
export interface Thing {
  name: string;
  port: number;
  /** Requests under `/api/things`. */
  asked: IncomingMessage[];
}

export interface WorldOptions {
  /** Instances of `thing`, by their weights. */
  weights?: number[];
  /** Gateways on one public port. */
  gateways?: number;
  /** What the configuration says of policies. */
  policies?: object;
}

/** Gateways as processes of their own on one public port, with a real Consul and a real Redis, before instances in this process. */
export class GatewayWorld {
  readonly consul: ConsulServer;
  readonly redis: RedisServer;
  /** The public one. */
  readonly origin: string;
  readonly things: Thing[] = [];
  readonly gateways: ServiceProcess[] = [];
  readonly #servers: Server[] = [];
  readonly #publicPort: number;
  readonly #privateKey: CryptoKey;
  readonly #secret = randomBytes(32).toString("base64url");

  private constructor(consul: ConsulServer, redis: RedisServer, publicPort: number, privateKey: CryptoKey) {
    this.consul = consul;
    this.redis = redis;
    this.#publicPort = publicPort;
    this.#privateKey = privateKey;
    this.origin = `http://127.0.0.1:${publicPort}`;
  }

  static async start({
    weights = [1],
    gateways = 1,
    policies = {},
  }: WorldOptions = {}): Promise<GatewayWorld> {
    const [consul, redis, keys] = await Promise.all([
      startConsul(),
      startRedis(),
      generateKeyPair("EdDSA", { extractable: true }),
    ]);
    const world = new GatewayWorld(consul, redis, await freePorts(1), keys.privateKey);
    try {
      await world.#letAllRead();
      const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "own", alg: "EdDSA" }] };
      await world.#register("user", await world.#serve("user", jwks), 1);
      for (const [index, weight] of weights.entries()) {
        const name = `thing-${index}`;
        const asked: IncomingMessage[] = [];
        const port = await world.#serve("thing", { name }, asked);
        world.things.push({ name, port, asked });
        await world.#register("thing", port, weight);
      }
      for (let index = 0; index < gateways; index++) {
        await world.startGateway(policies);
      }
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  /** One more gateway; resolves once it knows all instances. */
  async startGateway(policies: object = {}): Promise<ServiceProcess> {
    const gateway = await startService("gateway", {
      GATEWAY_PORT: String(this.#publicPort),
      CONSUL_URL: this.consul.address,
      ROUTES: JSON.stringify([
        { prefix: "/api/things", service: "thing", public: ["GET /api/things"] },
        { prefix: "/api/users", service: "user", public: ["GET /api/users/jwks.json"] },
      ]),
      POLICIES: JSON.stringify(policies),
      JWT_ISSUER: issuer,
      JWT_AUDIENCE: audience,
      INTERNAL_TOKEN_SECRET: this.#secret,
      ...this.redis.environmentOf("gateway"),
    });
    this.gateways.push(gateway);
    await until("the gateway to know its instances", async () => {
      const { upstreams, revocations } = await this.report(gateway);
      const counts = upstreams.map(({ instances }) => instances.length);
      return counts.includes(this.things.length) && !counts.includes(0) && revocations.isCurrent;
    });
    return gateway;
  }

  /** A person's token, good for an hour. */
  tokenOf(userId: number, login = `login of ${userId}`): Promise<string> {
    return new SignJWT({ name: "Riya", role: "customer", jti: login })
      .setProtectedHeader({ alg: "EdDSA", kid: "own" })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(String(userId))
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(this.#privateKey);
  }

  /** Asks the public port, or one gateway, for things. */
  async ask(token?: string, origin = this.origin, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${origin}/api/things`, {
      headers: { connection: "close", ...(token && { authorization: `Bearer ${token}` }), ...headers },
    });
  }

  async report(gateway = this.gateways[0]): Promise<GatewayReport> {
    const answer = await fetch(`${gateway?.url}/_gateway/endpoints`);
    return (await answer.json()) as GatewayReport;
  }

  /** A metric's value; 0 where it has none. */
  async metric(line: string, gateway = this.gateways[0]): Promise<number> {
    const text = await (await fetch(`${gateway?.url}/metrics`)).text();
    const found = text.split("\n").find((one) => one.startsWith(line));
    return Number(found?.split(" ").at(-1) ?? 0);
  }

  /** What Consul holds of policies; `undefined` removes it. */
  async setPolicies(text: string | undefined): Promise<void> {
    const method = text === undefined ? "DELETE" : "PUT";
    await this.#tell(method, "/v1/kv/gateway/policies", text);
  }

  async stop(): Promise<void> {
    await cleanUp([
      ...this.gateways.map((gateway) => () => gateway.kill()),
      ...this.#servers.map((server) => async () => {
        server.closeAllConnections();
        server.close();
      }),
      () => this.redis.stop(),
      () => this.consul.stop(),
    ]);
  }

  async #serve(service: string, answer: object, asked?: IncomingMessage[]): Promise<number> {
    const document = {
      openapi: "3.1.0",
      info: { title: service, version: "0.1.0" },
      paths: { [`/api/${service}s`]: { get: { responses: { 200: { description: "All" } } } }, "/readyz": {} },
    };
    const server = createServer((incoming, outgoing) => {
      if (incoming.url?.startsWith("/api/things")) {
        asked?.push(incoming);
      }
      outgoing.setHeader("content-type", "application/json");
      outgoing.end(JSON.stringify(incoming.url === "/openapi.json" ? document : answer));
    });
    this.#servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  }

  async #letAllRead(): Promise<void> {
    const Rules = ['service_prefix ""', 'node_prefix ""', 'key "gateway/policies"']
      .map((what) => `${what} { policy = "read" }`)
      .join("\n");
    await this.#tell("PUT", "/v1/acl/policy", JSON.stringify({ Name: "read", Rules }));
    const anonymous = "/v1/acl/token/00000000-0000-0000-0000-000000000002";
    await this.#tell("PUT", anonymous, JSON.stringify({ Policies: [{ Name: "read" }] }));
  }

  #register(Name: string, Port: number, weight: number): Promise<void> {
    const Meta = { weight: String(weight) };
    const service = { ID: `${Name}-${Port}`, Name, Address: "127.0.0.1", Port, Meta };
    return this.#tell("PUT", "/v1/agent/service/register", JSON.stringify(service));
  }

  async #tell(method: string, path: string, body: string | undefined): Promise<void> {
    const headers = { "x-consul-token": this.consul.managementToken };
    const answer = await fetch(`${this.consul.address}${path}`, { method, headers, body });
    if (!answer.ok) {
      throw new Error(`Consul answered ${answer.status} to ${method} ${path}: ${await answer.text()}`);
    }
  }
}
