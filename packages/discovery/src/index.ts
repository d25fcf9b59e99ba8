export { Backoff } from "./backoff.ts";
export { measurePicks, type PickCosts } from "./bench.ts";
export { blockingDispatcher, followIndex, waitSeconds } from "./blocking-query.ts";
export {
  ServiceAwayError,
  ServiceClient,
  type ServiceClientOptions,
  type ServiceRequest,
  type ServiceResponse,
} from "./client.ts";
export type { Endpoint } from "./endpoint.ts";
export type { UpstreamEvent } from "./events.ts";
export { isFailureStatus } from "./health/failure.ts";
export type { Instance } from "./instance.ts";
export { type BalancingName, balancingNames, type UpstreamPolicy, upstreamPolicySchema } from "./policy.ts";
export { type Registration, type RegistrationOptions, register } from "./register.ts";
export type { InstanceSnapshot, UpstreamSnapshot } from "./snapshot.ts";
export { type EndpointSource, ListSource, type SourceStatus } from "./source.ts";
export { SrvWatch, type SrvWatchOptions } from "./srv-watch.ts";
export { type Outcome, Upstream, type UpstreamOptions } from "./upstream.ts";
export { ServiceWatch, type WatchOptions } from "./watch.ts";
