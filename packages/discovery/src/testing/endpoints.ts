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

/** Random numbers that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
