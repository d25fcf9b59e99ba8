import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What a process measures besides HTTP: events, outboxes. Every app of the process shows it at `/metrics`. */
const processMetrics = new Registry();

/** Seconds from a store's or a queue's quick answer to its being stuck. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A metric that counts up. Its name is the process's own: declare it once, beside what it counts. */
export function counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
  return new Counter({ name, help, labelNames, registers: [processMetrics] });
}

/** A metric of durations in seconds. */
export function histogram<L extends string>(name: string, help: string, labelNames: L[]): Histogram<L> {
  return new Histogram({ name, help, labelNames, buckets, registers: [processMetrics] });
}

/** A metric that is read when someone asks for it. One with labels is left out while it can't be read. */
export function gauge<L extends string>(
  name: string,
  help: string,
  labelNames: L[],
  read: (gauge: Gauge<L>) => Promise<void>,
): Gauge<L> {
  return new Gauge({
    name,
    help,
    labelNames,
    registers: [processMetrics],
    async collect() {
      this.reset();
      await read(this).catch(() => {});
    },
  });
}

/** In Prometheus' text format. */
export function printProcessMetrics(): Promise<string> {
  return processMetrics.metrics();
}
