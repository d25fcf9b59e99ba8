import { request } from "undici";
import { ServiceWatch } from "../../../packages/discovery/src/watch.ts";
import { cleanUp } from "../../clean-up.ts";
import { type Instance, instancesOf } from "../../cluster.ts";
import { deployChange } from "../../deploy-change.ts";
import { refuseUnhealthy } from "../../healthy.ts";
import { unchanged } from "../../job-change.ts";
import { type RegisteredJob, readJob, registerJob } from "../../nomad-jobs.ts";
import { type Outputs, outputsOf } from "../../outputs.ts";
import { poll } from "../../poll.ts";
import { scaleJobs } from "../../scaling.ts";
import { type CurrentToken, type Person, ShopClient } from "../../shop-client.ts";
import { environmentFrom, type Stack } from "../../stack.ts";
import { type Footprint, footprintOf, pidOf } from "./footprint.ts";
import type { Outage } from "./outage.ts";
import { Probes, routes } from "./probes.ts";

/** The job that is the whole shop in one process. */
const monolith = "monolith";

/** The way in, which only the services need. */
const gateway = "gateway";

const because = "lab compare monolith-microservices";

/** What was done to one process, as the customers of the shop have seen it. */
export interface Interruption {
  /** From the order to end it until what replaces it is ready, and no one else is left. */
  readyAfterMs: number;
  /** What the customers of each service's part of the shop have noticed. */
  routes: Record<string, Outage>;
}

/** A new version of a job in the place of the old one. */
export interface Deployment extends Interruption {
  /** The parts of the shop that are exchanged with it. */
  parts: string[];
  /** The archive that is exchanged. */
  bundleBytes: number;
}

/** One way to run the shop. */
export interface Side {
  /** Its processes, by job. */
  processes: Record<string, Footprint>;
  /** A small change of one job: Nomad starts the new version, and ends the old one once that is healthy. */
  deployment: Deployment;
  /** The job's process is killed. */
  crash: Interruption;
  /** One more instance of that job. */
  scaling: { readyAfterMs: number; memoryBytes: number };
}

export interface MonolithComparison {
  /** The service that is changed, killed and scaled beside the monolith. */
  service: string;
  monolith: Side;
  microservices: Side;
}

export interface CompareOptions {
  service: string;
  signal: AbortSignal;
  say(line: string): void;
}

/**
 * Runs the shop both ways, and does the same to both. The jobs are as before afterwards, whatever happens.
 *
 * @throws LabError when the stack is not healthy
 */
export async function compareMonolith(stack: Stack, options: CompareOptions): Promise<MonolithComparison> {
  const outputs = await outputsOf(stack);
  await refuseUnhealthy(stack, outputs, [options.service], options.signal);
  const shop = new ShopClient(outputs.urls.gateway);
  try {
    const admin = await shop.login(outputs.credentials.shopAdmin);
    const bench = new Bench(stack, outputs, admin, options);
    return await bench.compare();
  } finally {
    await shop.close();
  }
}

/** One way to run the shop, and where it is hit. */
interface Target {
  /** The job that is changed, killed and scaled. */
  job: string;
  /** The parts of the shop that it is. */
  parts: readonly string[];
  /** All jobs that this way needs. */
  jobs: readonly string[];
  /** Where the shop answers to the next request. */
  baseOf(): string | undefined;
  /** What lets in there. */
  tokenOf: CurrentToken;
}

class Bench {
  readonly #outputs: Outputs;
  readonly #admin: Person;
  readonly #options: CompareOptions;
  readonly #footprintOf: (instance: Instance) => Footprint;

  constructor(stack: Stack, outputs: Outputs, admin: Person, options: CompareOptions) {
    const { ports } = environmentFrom(stack);
    this.#outputs = outputs;
    this.#admin = admin;
    this.#options = options;
    this.#footprintOf = (instance) => footprintOf(instance, ports, stack.folders.releases);
  }

  async compare(): Promise<MonolithComparison> {
    const { service, say, signal } = this.#options;
    const outputs = this.#outputs;
    const [ofService, ofMonolith] = [
      unchanged(await readJob(outputs, service)),
      unchanged(await readJob(outputs, monolith)),
    ];
    // What answers for the monolith changes with each deployment, and nothing stands before it that knows where.
    const watch = new ServiceWatch({ consulUrl: outputs.urls.consul, service: monolith });
    try {
      say("  the monolith starts");
      await scaleJobs(outputs, { [monolith]: 1 }, because, signal);
      const services = routes.map((route) => route.service);
      let turn = 0;
      return {
        service,
        microservices: await this.#measure(ofService, {
          job: service,
          parts: [service],
          jobs: [...services, gateway],
          baseOf: () => outputs.urls.gateway,
          tokenOf: () => this.#admin.token(),
        }),
        monolith: await this.#measure(ofMonolith, {
          job: monolith,
          parts: services,
          jobs: [monolith],
          baseOf: () => watch.endpoints[turn++ % watch.endpoints.length]?.origin,
          tokenOf: () => this.#admin.internalToken(),
        }),
      };
    } finally {
      say("  the jobs are as before again");
      const [group] = ofService.specification.TaskGroups;
      await cleanUp([
        () => watch.close(),
        () => registerJob(outputs, ofService),
        () => registerJob(outputs, ofMonolith),
        // None of the monolith, whatever there was: a comparison that was killed may have left one.
        () => scaleJobs(outputs, { [service]: group?.Count ?? 1, [monolith]: 0 }, because),
      ]);
    }
  }

  async #measure(before: RegisteredJob, target: Target): Promise<Side> {
    const { say } = this.#options;
    const { job, jobs } = target;
    say(`  a small change of ${job} is deployed`);
    const deployment = await this.#deploy(before, target);
    say(`  ${job} is killed`);
    const crash = await this.#kill(target);
    // Every connection that it needs has been made by the requests.
    const processes: Record<string, Footprint> = {};
    for (const name of jobs) {
      processes[name] = this.#footprintOf(await this.#firstOf(name));
    }
    say(`  ${job} gets another instance`);
    return { processes, deployment, crash, scaling: await this.#addOne(job) };
  }

  async #deploy(before: RegisteredJob, target: Target): Promise<Deployment> {
    const { job, parts } = target;
    const { signal } = this.#options;
    const noticed = await this.#watched(target, () => deployChange(this.#outputs, before, signal));
    const { bundleBytes } = this.#footprintOf(await this.#firstOf(job));
    return { ...noticed, parts: [...parts], bundleBytes };
  }

  async #kill(target: Target): Promise<Interruption> {
    const { job } = target;
    const { address } = await this.#firstOf(job);
    return this.#watched(target, async () => {
      const pid = pidOf({ address });
      if (pid === undefined) {
        throw new Error(`Nothing listens at ${address}.`);
      }
      process.kill(pid, "SIGKILL");
      const isBack = async () => {
        const now = pidOf({ address });
        return now !== undefined && now !== pid && (await isReady(address)) ? true : undefined;
      };
      await poll(`${job} to be ready again`, isBack, { signal: this.#options.signal });
    });
  }

  /** Does something, and waits until customers notice nothing of it any more. */
  async #watched({ baseOf, tokenOf }: Target, act: () => Promise<void>): Promise<Interruption> {
    const { signal } = this.#options;
    const probes = new Probes(baseOf, tokenOf);
    let readyAfterMs = 0;
    try {
      await probes.untilCalm(signal);
      probes.forget();
      const startedMs = performance.now();
      await act();
      readyAfterMs = Math.round(performance.now() - startedMs);
      await probes.untilCalm(signal);
    } finally {
      await probes.close();
    }
    return { readyAfterMs, routes: probes.outages() };
  }

  async #addOne(job: string): Promise<Side["scaling"]> {
    const { signal } = this.#options;
    const before = await instancesOf(this.#outputs, job);
    const startedMs = performance.now();
    const takeBack = await scaleJobs(this.#outputs, { [job]: before.length + 1 }, because, signal);
    const readyAfterMs = Math.round(performance.now() - startedMs);
    const known = new Set(before.map(({ address }) => address));
    const added = (await instancesOf(this.#outputs, job)).find(({ address }) => !known.has(address));
    if (!added) {
      throw new Error(`${job} has got no other instance.`);
    }
    const { memoryBytes } = this.#footprintOf(added);
    await takeBack();
    return { readyAfterMs, memoryBytes };
  }

  async #firstOf(job: string): Promise<Instance> {
    const [instance] = await instancesOf(this.#outputs, job);
    if (!instance) {
      throw new Error(`${job} has no instance.`);
    }
    return instance;
  }
}

async function isReady(address: string): Promise<boolean> {
  const { statusCode, body } = await request(`http://${address}/readyz`);
  await body.dump();
  return statusCode === 200;
}
