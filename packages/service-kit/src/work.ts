import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "./log.ts";
import { continueTrace, type Trace } from "./trace.ts";

/** What a piece of work may call: a store, the queue, or another service. */
export type Store =
  | "mysql"
  | "mongodb"
  | "cassandra"
  | "redis"
  | "neo4j"
  | "nats"
  | "smtp"
  | `http:${string}`;

/** Calls to a store, and the milliseconds that they took together: more than the work itself, where they ran at once. */
export interface StoreUse {
  calls: number;
  ms: number;
}

/** What one request or one event causes, wherever in the process it is. */
export interface Work extends Trace {
  /** Logs with the trace id. */
  log: Logger;
  stores: Partial<Record<Store, StoreUse>>;
}

export interface WorkOptions {
  /** The header that came with the request or event; without one a trace begins. */
  traceparent?: string;
  log: Logger;
}

const storage = new AsyncLocalStorage<Work>();

/** Runs `run`, and everything that it calls and awaits, as one piece of work: `currentWork()` finds it in there. */
export function runWork<T>({ traceparent, log }: WorkOptions, run: (work: Work) => T): T {
  const trace = continueTrace(traceparent);
  const work: Work = { ...trace, log: log.child({ traceId: trace.traceId }), stores: {} };
  return storage.run(work, run, work);
}

/** The work that the caller is part of; `undefined` outside of any, as at the start of a service. */
export function currentWork(): Work | undefined {
  return storage.getStore();
}

/** Counts a call to a store for the work that the caller is part of. */
export function countCall(store: Store, ms: number): void {
  const work = storage.getStore();
  if (work) {
    const use = work.stores[store] ?? { calls: 0, ms: 0 };
    work.stores[store] = { calls: use.calls + 1, ms: Math.round((use.ms + ms) * 100) / 100 };
  }
}

/** Makes a call to a store, and counts it and its time until its promise settles. */
export function measure<T>(store: Store, call: () => T): T {
  const startedMs = performance.now();
  const count = () => countCall(store, performance.now() - startedMs);
  let result: T;
  try {
    result = call();
  } catch (error) {
    count();
    throw error;
  }
  if (isThenable(result)) {
    // The caller has the promise itself, and with it its rejection.
    result.then(count, count);
  } else {
    count();
  }
  return result;
}

/**
 * A client of a store whose named methods are counted in `currentWork().stores`. Everything else, and what the methods call
 * inside of the client, is the client's own.
 *
 * @example const pool = observe("mysql", createPool(options), ["query", "execute"]);
 */
export function observe<T extends object>(store: Store, target: T, methods: readonly (keyof T)[]): T {
  const counted = new Set<PropertyKey>(methods);
  const bound = new Map<PropertyKey, { member: unknown; call: unknown }>();
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") {
        return member;
      }
      const known = bound.get(name);
      if (known?.member === member) {
        return known.call;
      }
      // With the client itself as `this`: classes with private fields refuse a proxy.
      const call = counted.has(name)
        ? (...args: unknown[]) => measure(store, () => member.apply(target, args))
        : member.bind(target);
      bound.set(name, { member, call });
      return call;
    },
    set: (_, name, value) => Reflect.set(target, name, value, target),
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | undefined | null)?.then === "function";
}
