import type { PlainProxy } from "./nginx.ts";

/** What Envoy does besides handing on: the gateway's work, in Envoy's terms. */
export interface EnvoyWork {
  /** The keys of people's tokens, as JSON. */
  jwks: string;
  issuer: string;
  audience: string;
  /** The file of the access log, one JSON object a line. */
  accessLog: string;
}

/** What Envoy does where instances fail, besides what it does by itself: laid over its cluster and its route. */
export interface EnvoyCare {
  cluster: object;
  route?: object;
}

/** The gateway hands trailers on; Envoy does when it is told to. */
const http_protocol_options = { enable_trailers: true };

type Extension = { name: string; typed_config: { "@type": string; [setting: string]: unknown } };

/**
 * Envoy in front of instances, to be started with one worker (`envoyArguments`).
 *
 * @param work what it does besides; nothing by default
 * @param care what it does where instances fail; with work that of the gateway's passive health by default, without it nothing
 */
export function envoyConfiguration(
  { port, upstreamPorts }: PlainProxy,
  work?: EnvoyWork,
  care: EnvoyCare = { cluster: work ? { outlier_detection: outlierDetection } : {} },
): object {
  return {
    static_resources: {
      listeners: [
        {
          name: "entry",
          address: loopback(port),
          filter_chains: [{ filters: [connectionManager(work, care)] }],
        },
      ],
      clusters: [
        {
          name: "instances",
          type: "STATIC",
          connect_timeout: "0.5s",
          lb_policy: "ROUND_ROBIN",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http_protocol_options },
            },
          },
          load_assignment: {
            cluster_name: "instances",
            endpoints: [
              {
                lb_endpoints: upstreamPorts.map((upstream) => ({
                  endpoint: { address: loopback(upstream) },
                })),
              },
            ],
          },
          ...care.cluster,
        },
      ],
    },
  };
}

/** Of the gateway's default policies. */
export const outlierDetection = {
  consecutive_5xx: 3,
  interval: "1s",
  base_ejection_time: "5s",
  max_ejection_time: "60s",
  max_ejection_percent: 70,
};

/** How Envoy is started with a configuration of one worker. */
export function envoyArguments(file: string): string[] {
  return ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
}

function connectionManager(work: EnvoyWork | undefined, { route }: EnvoyCare): Extension {
  return extension(
    "envoy.filters.network.http_connection_manager",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: "entry",
      http_protocol_options,
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "instances", ...route } }],
          },
        ],
      },
      ...(work && { access_log: [accessLog(work)] }),
      http_filters: [
        ...(work ? [tokens(work), rateLimit()] : []),
        extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
      ],
    },
  );
}

/** With a cache of verified tokens, as the gateway has one. */
function tokens({ jwks, issuer, audience }: EnvoyWork): Extension {
  return extension(
    "envoy.filters.http.jwt_authn",
    "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    {
      providers: {
        people: {
          issuer,
          audiences: [audience],
          local_jwks: { inline_string: jwks },
          jwt_cache_config: { jwt_cache_size: 10_000 },
        },
      },
      rules: [{ match: { prefix: "/" }, requires: { provider_name: "people" } }],
    },
  );
}

/** So high that nothing is refused: counting is the work. */
function rateLimit(): Extension {
  return extension(
    "envoy.filters.http.local_ratelimit",
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    {
      stat_prefix: "limit",
      token_bucket: { max_tokens: 1_000_000_000, tokens_per_fill: 1_000_000_000, fill_interval: "60s" },
      filter_enabled: { default_value: { numerator: 100, denominator: "HUNDRED" } },
      filter_enforced: { default_value: { numerator: 100, denominator: "HUNDRED" } },
    },
  );
}

function accessLog({ accessLog: path }: EnvoyWork): Extension {
  return extension("envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", {
    path,
    log_format: {
      json_format: {
        time: "%START_TIME%",
        method: "%REQ(:METHOD)%",
        path: "%REQ(:PATH)%",
        status: "%RESPONSE_CODE%",
        durationMs: "%DURATION%",
        upstreamMs: "%RESPONSE_DURATION%",
        upstream: "%UPSTREAM_HOST%",
        attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        traceparent: "%REQ(TRACEPARENT)%",
      },
    },
  });
}

function extension(name: string, type: string, settings: Record<string, unknown> = {}): Extension {
  return { name, typed_config: { "@type": `type.googleapis.com/${type}`, ...settings } };
}

function loopback(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
