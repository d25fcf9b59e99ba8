import type { BalancingName } from "../../../packages/discovery/src/policy.ts";
import { type EnvoyCare, outlierDetection } from "../../bench/gateway/proxies/envoy.ts";

/** A proxy that is compared. */
export type Rival = { name: string; description: string } & (
  | { program: "gateway"; policies: object }
  | { program: "envoy"; care: EnvoyCare }
);

/** What Envoy does when it is told to look for outliers, and no more: https://www.envoyproxy.io, outlier_detection.proto. */
const stockPolicies = {
  passiveHealth: {
    consecutiveFailures: 5,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxEjectedShare: 0.1,
    panicShare: 0.5,
  },
  activeProbe: null,
  slowStartMs: 0,
  retries: { max: 0 },
  circuitBreaker: null,
};

/** No instance is ever left out. */
const barePolicies = { ...stockPolicies, passiveHealth: { maxEjectedShare: 0 } };

/** The gateway's defaults. A connection that fails counts as a gateway failure, since local errors are not counted apart. */
const careAlike: EnvoyCare = {
  cluster: {
    outlier_detection: {
      ...outlierDetection,
      consecutive_gateway_failure: 3,
      enforcing_consecutive_gateway_failure: 100,
      max_ejection_time_jitter: "0s",
    },
    health_checks: [
      {
        timeout: "1s",
        interval: "2s",
        // Else every 60 s at first, until there has been traffic for that long.
        no_traffic_interval: "2s",
        unhealthy_threshold: 2,
        healthy_threshold: 1,
        http_health_check: { path: "/readyz" },
      },
    ],
    common_lb_config: {
      healthy_panic_threshold: { value: 30 },
      // Else it goes on asking those that it has ejected for up to a second, since it tells its workers of changes once a second.
      update_merge_window: "0s",
    },
    circuit_breakers: {
      thresholds: [{ retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 10 } }],
    },
  },
  route: {
    timeout: "15s",
    retry_policy: {
      retry_on: "gateway-error,connect-failure,refused-stream,reset",
      num_retries: 2,
      per_try_timeout: "5s",
      retry_back_off: { base_interval: "0.001s", max_interval: "0.001s" },
      retry_host_predicate: [
        {
          name: "envoy.retry_host_predicates.previous_hosts",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
          },
        },
      ],
      host_selection_retry_max_attempts: 5,
    },
  },
};

/**
 * Both proxies with the gateway's default policies, both as Envoy's defaults are, and gateways that only balance.
 *
 * @param bare how these balance
 */
export function rivalsWith(bare: readonly BalancingName[]): Rival[] {
  return [
    { name: "gateway", description: "gateway", program: "gateway", policies: {} },
    { name: "envoy", description: "Envoy, set alike", program: "envoy", care: careAlike },
    {
      name: "gatewayStock",
      description: "gateway as stock Envoy",
      program: "gateway",
      policies: stockPolicies,
    },
    {
      name: "envoyStock",
      description: "stock Envoy",
      program: "envoy",
      care: { cluster: { outlier_detection: {} } },
    },
    ...bare.map(
      (balancing): Rival => ({
        name: balancing,
        description: `only ${balancing}`,
        program: "gateway",
        policies: { ...barePolicies, balancing },
      }),
    ),
  ];
}
