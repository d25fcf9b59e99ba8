export { roundRobin } from "./round-robin.ts";
export { type Endpoint, ServiceWatch, type WatchOptions } from "./watch.ts";
