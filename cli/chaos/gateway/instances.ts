import { cleanUp } from "../../clean-up.ts";
import { deployChange } from "../../deploy-change.ts";
import { unchanged } from "../../job-change.ts";
import { countOf, type RegisteredJob, readJob, registerJob } from "../../nomad-jobs.ts";
import type { Outputs } from "../../outputs.ts";
import { scaleJobs } from "../../scaling.ts";
import type { Stack } from "../../stack.ts";
import { kill } from "../kill.ts";
import type { Mischief } from "./plan.ts";
import type { Happening } from "./verdict.ts";

const because = "lab chaos gateway";

/** So many of each job at least: one goes, and another one stays. */
const fewest = 2;

/** The instances of some jobs, to which things happen. */
export class Instances {
  readonly #stack: Stack;
  readonly #outputs: Outputs;
  readonly #signal: AbortSignal;
  readonly #counts = new Map<string, number>();
  readonly #before = new Map<string, RegisteredJob>();
  readonly #changed = new Set<string>();

  constructor(stack: Stack, outputs: Outputs, signal: AbortSignal) {
    this.#stack = stack;
    this.#outputs = outputs;
    this.#signal = signal;
  }

  /** Gives each job two instances, where it has fewer. */
  async multiply(jobs: readonly string[]): Promise<void> {
    for (const job of jobs) {
      const before = unchanged(await readJob(this.#outputs, job));
      this.#before.set(job, before);
      this.#counts.set(job, await countOf(this.#outputs, job));
    }
    await scaleJobs(
      this.#outputs,
      Object.fromEntries([...this.#counts].map(([job, count]) => [job, Math.max(fewest, count)])),
      because,
      this.#signal,
    );
  }

  /** Does something to a job, and waits until all its instances are healthy again. */
  async strike(kind: Mischief, job: string): Promise<Happening[]> {
    switch (kind) {
      case "stop":
        return this.#stopAndStart(job);
      case "kill":
        return [await this.#kill(job)];
      case "deploy":
        return [await this.#deploy(job)];
    }
  }

  /** Gives each job the instances and the version that it had. */
  async restore(): Promise<void> {
    const registered = [...this.#changed].map((job) => this.#before.get(job) as RegisteredJob);
    await cleanUp([
      ...registered.map((job) => () => registerJob(this.#outputs, job)),
      () => scaleJobs(this.#outputs, Object.fromEntries(this.#counts), because),
    ]);
  }

  async #stopAndStart(job: string): Promise<Happening[]> {
    const count = await countOf(this.#outputs, job);
    const fromMs = performance.now();
    const start = await scaleJobs(this.#outputs, { [job]: count - 1 }, because, this.#signal);
    const stoppedMs = performance.now();
    await start();
    return [
      { kind: "stop", job, fromMs, toMs: stoppedMs },
      { kind: "start", job, fromMs: stoppedMs, toMs: performance.now() },
    ];
  }

  async #kill(job: string): Promise<Happening> {
    const fromMs = performance.now();
    const { killedMs } = await kill(this.#stack, this.#outputs, { job, process: "task" }, this.#signal);
    return { kind: "kill", job, fromMs, toMs: performance.now(), killedMs };
  }

  async #deploy(job: string): Promise<Happening> {
    const fromMs = performance.now();
    this.#changed.add(job);
    await deployChange(this.#outputs, await readJob(this.#outputs, job), this.#signal);
    return { kind: "deploy", job, fromMs, toMs: performance.now() };
  }
}
