export {
  ServiceAwayError,
  ServiceClient,
  type ServiceClientOptions,
  type ServiceRequest,
  type ServiceResponse,
} from "./client.ts";
export { roundRobin } from "./round-robin.ts";
export { type Endpoint, ServiceWatch, type WatchOptions } from "./watch.ts";
