import { type EndpointSource, ListSource, Upstream, type UpstreamPolicy } from "@lab/discovery";
import { createLogger } from "@lab/service-kit";
import { Redis } from "ioredis";
import { generateKeyPair, SignJWT } from "jose";
import { onTestFinished } from "vitest";
import { Admission } from "../admission.ts";
import { Cache } from "../cache/cache.ts";
import { FrontDoor } from "../front-door.ts";
import { Gateway } from "../gateway.ts";
import { Identities } from "../identity/identities.ts";
import { InternalTokens } from "../identity/internal-tokens.ts";
import { type PersonClaims, verifyPersonToken } from "../identity/person-tokens.ts";
import { RateLimits } from "../limits/rate-limits.ts";
import { policiesFrom } from "../policies/policies.ts";
import { Deadlines } from "../proxy/deadlines.ts";
import { Pools } from "../proxy/pools.ts";
import { RouteTable } from "../routes.ts";

/** The gateway's parts together in this process, in front of a fixed list of instances. Nothing is counted: there is no Redis. */
export interface TestGateway {
  origin: string;
  port: number;
  /** The service behind `/api/things`, open to everyone, and `/api/secrets`, for people with a token. */
  upstream: Upstream;
  cache: Cache;
  internalTokens: InternalTokens;
  /** A person's token, good for an hour. */
  tokenOf(userId: number): Promise<string>;
  /** The lines of the access log so far. */
  logged: Record<string, unknown>[];
  /** From now on each answer says that its connection closes. */
  stopSoon(): void;
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const issuer = "polyglot-lab";
const audience = "shop";
const logNames = { SERVICE_NAME: "gateway", ENVIRONMENT: "test", INSTANCE_ID: "test" } as const;

/**
 * Serves until the test is over.
 *
 * @param origins of the instances
 * @param policy of the service, over one without probes and slow start
 * @param settings further policies
 * @param host to listen at
 */
export async function startTestGateway(
  origins: readonly string[] | EndpointSource,
  policy: object = {},
  settings: object = {},
  host = "127.0.0.1",
): Promise<TestGateway> {
  const routes = new RouteTable([
    {
      prefix: "/api/things",
      service: "thing",
      public: methods.flatMap((method) => [`${method} /api/things`, `${method} /api/things/{id}`]),
    },
    { prefix: "/api/secrets", service: "thing", public: [] },
  ]);
  const policies = policiesFrom(
    [
      {
        upstream: { activeProbe: null, slowStartMs: 0, circuitBreaker: null, ...policy },
        rateLimit: { exempt: ["127.0.0.0/8", "::1"] },
      },
      settings,
    ],
    ["thing"],
  );
  const source =
    "endpoints" in origins
      ? origins
      : new ListSource(origins.map((origin, index) => ({ id: `i${index}`, origin, weight: 1, meta: {} })));
  const upstream = new Upstream({
    name: "thing",
    source,
    policy: policies.upstreams.thing as UpstreamPolicy,
  });
  const internalTokens = new InternalTokens({
    secret: "a secret of at least 32 characters",
    issuer: "gateway",
    audience: "shop-services",
  });
  const { publicKey, privateKey } = await generateKeyPair("EdDSA");
  const identities = new Identities({
    verify: (token) => verifyPersonToken(token, { keyOf: async () => publicKey, issuer, audience }),
    sign: (claims: PersonClaims, nowSeconds) => internalTokens.sign(claims, nowSeconds),
    isRevoked: () => false,
  });
  const redis = new Redis({ lazyConnect: true, enableOfflineQueue: false });
  const limits = new RateLimits({ redis, settings: policies.rateLimit });
  const admission = new Admission(
    { routes, upstreams: new Map([["thing", upstream]]), identities, revocations: { isCurrent: true } },
    policies,
    limits,
  );
  const cache = new Cache(policies.cache);
  const wires = { pools: new Pools(), deadlines: new Deadlines() };
  const logged: Record<string, unknown>[] = [];
  const log = createLogger(
    { ...logNames, LOG_LEVEL: "info" },
    {
      write(line: string) {
        logged.push(JSON.parse(line));
      },
    },
  );
  let isStopping = false;
  const gateway = new Gateway(
    { admission, wires, accessLog: log, log, isStopping: () => isStopping },
    { policies, cache },
  );
  const door = new FrontDoor({
    onRequest: (incoming, outgoing) => gateway.handle(incoming, outgoing),
    onUpgrade: (incoming, socket, head) => void gateway.upgrade(incoming, socket, head),
  });
  await door.listen(0, host);
  onTestFinished(async () => {
    await Promise.all([door.close(), upstream.close(), wires.pools.close()]);
    redis.disconnect();
  });
  return {
    origin: `http://127.0.0.1:${door.port}`,
    port: door.port,
    upstream,
    cache,
    internalTokens,
    logged,
    tokenOf: (userId) =>
      new SignJWT({ name: "Riya", role: "customer", jti: `login of ${userId}` })
        .setProtectedHeader({ alg: "EdDSA" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(String(userId))
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(privateKey),
    stopSoon() {
      isStopping = true;
    },
  };
}
