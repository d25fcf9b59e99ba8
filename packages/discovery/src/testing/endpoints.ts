import type { Endpoint } from "../endpoint.ts";

/** Endpoints for tests and measurements: `i0`, `i1` … */
export function endpoints(count: number, weightOf: (index: number) => number = () => 1): Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `i${index}`,
    origin: `http://127.0.0.1:${1000 + index}`,
    weight: weightOf(index),
    meta: {},
  }));
}
