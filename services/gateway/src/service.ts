import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { HttpBindings } from "@hono/node-server";
import { getRequestListener } from "@hono/node-server";
import {
  type Instance,
  ServiceWatch,
  Upstream,
  type UpstreamEvent,
  type UpstreamPolicy,
} from "@lab/discovery";
import { connectRedis, redisEnvironment } from "@lab/redis";
import { type Context, createApp, defineService, listenPort, type Running } from "@lab/service-kit";
import { Hono } from "hono";
import { z } from "zod";
import { openAccessLog } from "./access-log.ts";
import { Admission } from "./admission.ts";
import { apiDocs } from "./api-docs.ts";
import { Cache } from "./cache/cache.ts";
import { FrontDoor } from "./front-door.ts";
import { Gateway } from "./gateway.ts";
import { Identities } from "./identity/identities.ts";
import { InternalTokens } from "./identity/internal-tokens.ts";
import { verifyPersonToken } from "./identity/person-tokens.ts";
import { blockMs, Revocations } from "./identity/revocations.ts";
import { keysOfService } from "./identity/service-keys.ts";
import { RateLimits } from "./limits/rate-limits.ts";
import * as metrics from "./metrics.ts";
import { ownRoutes } from "./own-routes.ts";
import { CurrentPolicies } from "./policies/current-policies.ts";
import type { Policies } from "./policies/policies.ts";
import { PolicyWatch } from "./policies/policy-watch.ts";
import { Deadlines } from "./proxy/deadlines.ts";
import { Pools } from "./proxy/pools.ts";
import type { GatewayReport } from "./report.ts";
import { RouteTable, routesSetting } from "./routes.ts";

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: "custom", message: "must be JSON" });
    return z.NEVER;
  }
});

const environment = z.object({
  ...redisEnvironment.shape,
  /** The public port; instances may share it. `PORT` is each instance's own. */
  GATEWAY_PORT: listenPort,
  HOST: z.string().min(1).default("127.0.0.1"),
  CONSUL_URL: z.url(),
  /** May read the policies in Consul, where that isn't open. */
  CONSUL_TOKEN: z.string().min(1).optional(),
  ROUTES: routesSetting,
  /** Policies, of which each member has a default; and the key in Consul's store that may hold more, to lay over these. */
  POLICIES: json.default({}),
  POLICIES_KEY: z.string().min(1).default("gateway/policies"),
  /** Of people's tokens, and where the keys are that these are checked with. */
  JWT_ISSUER: z.string().min(1),
  JWT_AUDIENCE: z.string().min(1),
  JWKS_SERVICE: z.string().min(1).default("user"),
  JWKS_PATH: z.string().startsWith("/").default("/api/users/jwks.json"),
  /** Of the tokens that services get. */
  INTERNAL_TOKEN_SECRET: z.string().min(32),
  INTERNAL_ISSUER: z.string().min(1).default("gateway"),
  INTERNAL_AUDIENCE: z.string().min(1).default("shop-services"),
});

type Environment = z.infer<typeof environment>;

/** How long Redis may take to count a request, before it counts as away. */
const commandTimeoutMs = 250;

/** How long the first gateway waits at its start to hear who was logged out. */
const revocationsMs = 3000;

/** How long a body may take that is for the gateway itself: there are two operations that take one, and both are small. */
const ownBodyMs = 10_000;

export const service = defineService({ environment, start });

async function start({ environment, log, isStopping }: Context<Environment>): Promise<Running> {
  const routes = new RouteTable(environment.ROUTES);
  const { JWKS_SERVICE: issuer } = environment;
  const names = [...new Set([...routes.destinations.map(({ service }) => service), issuer])];
  const current = new CurrentPolicies(environment.POLICIES, names);
  const startedAt = new Date().toISOString();

  const wires = { pools: new Pools(), deadlines: new Deadlines() };
  const onEvent = (event: UpstreamEvent, instance?: Instance) => {
    const { upstream, kind, ...details } = event;
    log.info({ upstream, kind, ...details }, `upstream ${kind}`);
    metrics.upstreamEvents.inc({ upstream, kind });
    if (kind === "dropped" && instance) {
      void wires.pools.drop(instance);
    }
  };
  const upstreams = new Map(
    names.map((name) => {
      const onError = (error: Error) =>
        log.warn({ upstream: name, err: error }, "Consul can't be asked; the last list stays");
      const source = new ServiceWatch({ consulUrl: environment.CONSUL_URL, service: name, onError });
      return [
        name,
        new Upstream({ name, source, policy: current.policies.upstreams[name] as UpstreamPolicy, onEvent }),
      ];
    }),
  );

  const redis = connectRedis(environment, log, { commandTimeout: commandTimeoutMs });
  const revocations = new Revocations({
    redis: connectRedis(environment, log, { commandTimeout: 2 * blockMs }),
    onError(error) {
      metrics.redisAway.inc({ use: "revocations" });
      log.warn({ err: error }, "log-outs can't be heard of; those known stay");
    },
    onCurrent: () => log.info("log-outs are heard of"),
  });

  const internalTokens = new InternalTokens({
    secret: environment.INTERNAL_TOKEN_SECRET,
    issuer: environment.INTERNAL_ISSUER,
    audience: environment.INTERNAL_AUDIENCE,
  });
  const personTokens = {
    keyOf: keysOfService(upstreams.get(issuer) as Upstream, environment.JWKS_PATH),
    issuer: environment.JWT_ISSUER,
    audience: environment.JWT_AUDIENCE,
  };
  const identities = new Identities({
    verify: (token) => verifyPersonToken(token, personTokens),
    sign: (claims, nowSeconds) => internalTokens.sign(claims, nowSeconds),
    isRevoked: (claims) => revocations.has(claims),
  });

  const limitsOf = ({ rateLimit }: Policies) =>
    new RateLimits({
      redis,
      settings: rateLimit,
      onError(error) {
        metrics.redisAway.inc({ use: "rate limits" });
        log.warn({ err: error, open: rateLimit.whenDown === "open" }, "requests can't be counted");
      },
    });
  const admission = new Admission(
    { routes, upstreams, identities, revocations },
    current.policies,
    limitsOf(current.policies),
  );
  const accessLog = openAccessLog(environment);
  let cache = new Cache(current.policies.cache);
  const gateway = new Gateway(
    { admission, wires, accessLog: accessLog.log, log, isStopping },
    { policies: current.policies, cache },
  );

  const policyWatch = new PolicyWatch({
    consulUrl: environment.CONSUL_URL,
    token: environment.CONSUL_TOKEN,
    key: environment.POLICIES_KEY,
    onValue(text, index) {
      const before = current.policies;
      const result = current.take(text, index);
      metrics.policyChanges.inc({ result });
      if (result === "refused") {
        log.error({ key: environment.POLICIES_KEY, why: current.report.refused }, "policies refused");
      }
      if (result !== "changed") {
        return;
      }
      const { policies } = current;
      log.info({ source: current.report.source }, "policies changed");
      for (const [name, upstream] of upstreams) {
        upstream.configure(policies.upstreams[name] as UpstreamPolicy);
      }
      admission.configure(policies, limitsOf(policies));
      if (!isDeepStrictEqual(before.cache, policies.cache)) {
        cache = new Cache(policies.cache);
      }
      gateway.configure({ policies, cache });
    },
    onError: (error) => log.warn({ err: error }, "the policies in Consul can't be asked for"),
  });

  const report = (): GatewayReport => {
    const { rateLimit, cache: cacheSettings, trustedProxies, maxBodyBytes, revocation } = current.policies;
    return {
      instance: environment.INSTANCE_ID,
      startedAt,
      policies: {
        ...current.report,
        rateLimit,
        cache: cacheSettings,
        trustedProxies,
        maxBodyBytes,
        revocation,
      },
      redis: redis.status === "ready" ? "connected" : "away",
      revocations: { count: revocations.size, isCurrent: revocations.isCurrent },
      cacheBytes: cache.bytes,
      upstreams: [...upstreams.values()].map((upstream) => upstream.snapshot()),
    };
  };
  metrics.readGauges(report);

  const app = createApp({
    name: environment.SERVICE_NAME,
    description: "The way in: routes /api to the live instances of each service.",
    log,
    isStopping,
    backends: {
      async consul() {
        const statuses = [...upstreams.values()].map(({ source }) => source.status);
        if (!statuses.every(({ isKnown }) => isKnown)) {
          throw new Error("Consul has not answered yet");
        }
        const behind = statuses.filter(({ isCurrent }) => !isCurrent).length;
        return behind > 0 && { note: `the last known lists of ${behind} services are in use` };
      },
      async redis() {
        return redis.status !== "ready" && { note: "away: see the policies rateLimit and revocation" };
      },
      async "public port"() {
        if (door.state === "closed") {
          throw new Error("not open yet");
        }
        return door.state === "taken" && { note: "another process has it still" };
      },
    },
  });
  ownRoutes(app, { routes, identities, internalTokens, current, report });

  const front = new Hono<{ Bindings: HttpBindings }>();
  front.route("/", apiDocs(upstreams.values()));
  front.all("*", (c) => app.fetch(c.req.raw, c.env));
  const own = getRequestListener(front.fetch as Parameters<typeof getRequestListener>[0]);
  const door = new FrontDoor({
    // Requests for services go past Hono: it would make Fetch's objects for each, and an answer of its own for HEAD.
    onRequest: (incoming, outgoing) =>
      forService.test(incoming.url ?? "")
        ? gateway.handle(incoming, outgoing)
        : inTime(incoming, outgoing, own),
    onUpgrade: (incoming, socket, head) => void gateway.upgrade(incoming, socket, head),
  });
  // Once it is open the kernel gives this instance its share of the callers, so it first knows what the other instances know.
  const isInformed = Promise.all([
    ...[...upstreams.values()].map(({ source }) => source.firstAnswer),
    policyWatch.firstAnswer,
    // Without Redis too it goes on, as the policies say.
    Promise.race([revocations.firstAnswer, delay(revocationsMs, undefined, { ref: false })]),
  ]);
  // Not waited for: while an older gateway has the port for itself, this one must be well without it, for that one goes only then.
  isInformed
    .then(() => door.listen(environment.GATEWAY_PORT, environment.HOST))
    .then(
      () => {
        if (door.state === "open") {
          log.info({ port: door.port }, "open to the public");
        }
      },
      (error) => {
        log.fatal({ err: error }, "the public port can't be had");
        process.exit(1);
      },
    );

  return {
    app,
    drain: () => door.close(),
    async close() {
      await policyWatch.close();
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
      await revocations.close();
      await wires.pools.close();
      redis.disconnect();
      accessLog.close();
    },
  };
}

/** Answers a request that is for the gateway itself; one whose body does not come is cut off. */
function inTime(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => unknown,
): void {
  const timer = setTimeout(() => incoming.destroy(), ownBodyMs);
  incoming.once("end", () => clearTimeout(timer));
  outgoing.once("close", () => clearTimeout(timer));
  answer(incoming, outgoing);
}

/** The target of a request for a service, in origin or in absolute form (RFC 9112 §3.2). */
const forService = /^(https?:\/\/[^/?]*)?\/api([/?]|$)/i;
