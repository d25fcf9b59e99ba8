import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import type { ActiveProbe } from "../policy.ts";

/** What is asked how it is. */
interface Target {
  origin: string;
}

/** Asks instances by itself how they are, each at its own times. */
export class Probes<T extends object> {
  readonly #report: (target: T, problem: string | undefined) => void;
  readonly #settings: ActiveProbe;
  readonly #agent: Agent;
  readonly #running = new Map<T, { stop: AbortController; finished: Promise<void> }>();

  /** @param report told of each answer, with what is wrong with it if anything is */
  constructor(settings: ActiveProbe, report: (target: T, problem: string | undefined) => void) {
    this.#settings = settings;
    this.#report = report;
    this.#agent = new Agent({ connections: 1, connect: { timeout: settings.timeoutMs } });
  }

  /** Begins to ask. */
  add(target: T, { origin }: Target): void {
    const stop = new AbortController();
    this.#running.set(target, { stop, finished: this.#probe(target, origin, stop.signal) });
  }

  remove(target: T): void {
    this.#running.get(target)?.stop.abort();
    this.#running.delete(target);
  }

  async close(): Promise<void> {
    const finished = [...this.#running.values()].map((probe) => probe.finished);
    for (const target of this.#running.keys()) {
      this.remove(target);
    }
    await Promise.all(finished);
    await this.#agent.destroy();
  }

  async #probe(target: T, origin: string, signal: AbortSignal): Promise<void> {
    // Spread out, so that not all instances are asked in the same moment, by all who ask.
    let pauseMs = Math.random() * this.#settings.intervalMs;
    while (!signal.aborted) {
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      const problem = await this.#problemOf(origin, signal);
      if (!signal.aborted) {
        this.#report(target, problem);
      }
      pauseMs = this.#settings.intervalMs * (0.9 + Math.random() / 5);
    }
  }

  async #problemOf(origin: string, signal: AbortSignal): Promise<string | undefined> {
    const { path, timeoutMs } = this.#settings;
    try {
      const { statusCode, body } = await this.#agent.request({
        origin,
        path,
        method: "GET",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      await body.dump();
      return statusCode >= 200 && statusCode < 300 ? undefined : `${path} answered ${statusCode}`;
    } catch (error) {
      const { name, code, message } = error as NodeJS.ErrnoException;
      return `${path}: ${name === "TimeoutError" ? `no answer in ${timeoutMs} ms` : (code ?? message)}`;
    }
  }
}
