import { counter, gauge, histogram } from "@lab/service-kit";
import type { GatewayReport } from "./report.ts";

const states = ["healthy", "slow-start", "ejected", "unhealthy"] as const;

/** Requests by route (`none` for a path that is nobody's) and status. */
export const requests = counter("gateway_requests_total", "Requests by route and status", [
  "route",
  "status",
]);

export const requestSeconds = histogram(
  "gateway_request_duration_seconds",
  "From the head of a request to the end of its answer",
  ["route"],
);

export const upstreamSeconds = histogram(
  "gateway_upstream_duration_seconds",
  "Until the head of an instance's answer, all attempts together",
  ["upstream"],
);

export const retries = counter("gateway_retries_total", "Attempts after the first", ["upstream"]);

export const upstreamEvents = counter(
  "gateway_upstream_events_total",
  "Changes of instances and of circuits",
  ["upstream", "kind"],
);

export const limited = counter("gateway_rate_limited_total", "Requests that were refused for their number", [
  "policy",
]);

export const redisAway = counter("gateway_redis_away_total", "Times that Redis could not be asked", ["use"]);

export const refusedConnections = counter(
  "gateway_refused_connections_total",
  "Requests that were no HTTP, or did not come in time",
  ["cause"],
);

export const cached = counter("gateway_cache_total", "Requests that the cache has seen, by what it did", [
  "upstream",
  "result",
]);

export const policyChanges = counter("gateway_policy_changes_total", "New policies from Consul", ["result"]);

/** What is read when someone asks. */
export function readGauges(report: () => GatewayReport): void {
  gauge("gateway_endpoints", "Instances by state", ["upstream", "state"], async (metric) => {
    for (const { name: upstream, instances } of report().upstreams) {
      for (const state of states) {
        metric.set({ upstream, state }, instances.filter((instance) => instance.state === state).length);
      }
    }
  });
  gauge(
    "gateway_registry_current",
    "Whether the registry can be asked; the last list stays in use",
    ["upstream"],
    async (metric) => {
      for (const { name: upstream, source } of report().upstreams) {
        metric.set({ upstream }, Number(source.isCurrent));
      }
    },
  );
  gauge("gateway_revocations_current", "Whether log-outs are heard of", [], async (metric) => {
    metric.set(Number(report().revocations.isCurrent));
  });
  gauge("gateway_cache_bytes", "What the cache holds", [], async (metric) => {
    metric.set(report().cacheBytes);
  });
}
