/** What happened to the instances of an upstream, or to all of it: a line for the log and a count for the metrics. */
export interface UpstreamEvent {
  /** The name of the upstream. */
  upstream: string;
  kind:
    | "listed"
    | "dropped"
    | "ejected"
    | "returned"
    | "slow-start-over"
    | "unhealthy"
    | "healthy"
    | "panic"
    | "panic-over"
    | "breaker";
  /** The id of the instance. */
  endpoint?: string;
  why?: string;
  [detail: string]: unknown;
}
