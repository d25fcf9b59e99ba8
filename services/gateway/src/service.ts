import type { ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { type Endpoint, roundRobin, ServiceWatch } from "@lab/discovery";
import { type Context, createApp, defineService, Problem, type Running } from "@lab/service-kit";
import { z } from "zod";
import { Forwarder, hasBody, UpstreamError } from "./forwarder.ts";
import { type Route, routeOf, routesSetting } from "./routes.ts";

const environment = z.object({
  CONSUL_URL: z.url(),
  ROUTES: routesSetting,
});

/**
 * Node's own class, taken before @hono/node-server puts a quicker one in its place: answers of that one are sent without a look
 * at the header which says that they have been sent already.
 */
const NodeResponse = Response;

/** How many instances a request that can be sent again is tried on. */
const maxAttempts = 3;

export const service = defineService({ environment, start });

async function start({
  environment: { CONSUL_URL, ROUTES: routes, SERVICE_NAME },
  log,
  isStopping,
}: Context<z.infer<typeof environment>>): Promise<Running> {
  const upstreams = new Map(
    routes.map(({ service }) => [
      service,
      {
        next: roundRobin<Endpoint>(),
        watch: new ServiceWatch({
          consulUrl: CONSUL_URL,
          service,
          onChange: (endpoints) =>
            log.info(
              { upstream: service, instances: endpoints.map(({ origin }) => origin) },
              "instances changed",
            ),
          onError: (error) =>
            log.warn({ upstream: service, err: error }, "Consul can't be asked; the last list stays"),
        }),
      },
    ]),
  );
  const prefixes = routes.map(({ prefix }) => prefix).join(", ");
  const forwarder = new Forwarder();
  const app = createApp({
    name: SERVICE_NAME,
    description: "The way in: routes /api to the live instances of each service.",
    log,
    isStopping,
    // Bodies go on as a stream; the services limit them.
    maxBodyBytes: Number.POSITIVE_INFINITY,
    backends: {
      async consul() {
        if (![...upstreams.values()].every(({ watch }) => watch.isKnown)) {
          throw new Error("Consul has not answered yet");
        }
      },
    },
  });

  app.get("/", (c) =>
    c.json({
      routes: routes.map(({ prefix, service }) => ({
        prefix,
        service,
        instances: upstreams.get(service)?.watch.endpoints.map(({ origin }) => origin),
      })),
    }),
  );

  app.all("/api/*", async (c) => {
    const route = routeOf(routes, c.req.path);
    if (!route) {
      throw new Problem(404, `No service has ${c.req.path}. The routes: ${prefixes}.`);
    }
    const { incoming, outgoing } = c.env as unknown as HttpBindings & { outgoing: ServerResponse };
    const attempts = hasBody(incoming) ? 1 : maxAttempts;
    for (let attempt = 1; ; attempt++) {
      const endpoint = endpointFor(route);
      try {
        const status = await forwarder.forward({
          incoming,
          outgoing,
          endpoint,
          traceparent: c.get("traceparent"),
          closing: isStopping(),
        });
        return alreadySent(status);
      } catch (error) {
        if (!(error instanceof UpstreamError) || outgoing.headersSent || outgoing.destroyed) {
          c.get("log").warn({ err: error, endpoint: endpoint.origin }, "an exchange broke off");
          outgoing.destroy();
          return alreadySent(502);
        }
        c.get("log").warn(
          { upstream: route.service, endpoint: endpoint.origin, attempt, cause: error.message },
          "no answer",
        );
        // Nothing of the request has reached a service when no connection could be made.
        const isSafe = error.message === "ECONNREFUSED" || c.req.method === "GET" || c.req.method === "HEAD";
        if (attempt >= attempts || !isSafe) {
          throw new Problem(
            502,
            `An instance of ${route.service} did not answer (${error.message}). Try again.`,
          );
        }
      }
    }
  });

  function endpointFor({ service }: Route): Endpoint {
    const upstream = upstreams.get(service);
    const endpoint = upstream?.next(upstream.watch.endpoints);
    if (!endpoint) {
      throw new Problem(503, `No instance of ${service} is healthy. \`lab status\` shows why.`);
    }
    return endpoint;
  }

  return {
    app,
    async close() {
      await Promise.all([...upstreams.values()].map(({ watch }) => watch.close()));
      await forwarder.close();
    },
  };
}

/** Says that the caller has its answer; the status is for the log and the metrics. */
function alreadySent(status: number): Response {
  return new NodeResponse(null, { status, headers: { "x-hono-already-sent": "true" } });
}
