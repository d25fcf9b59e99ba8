import { request } from "undici";
import { type Instance, instancesOf } from "../../cluster.ts";
import { refuseUnhealthy } from "../../healthy.ts";
import { countOf, restartAllocation, runningAllocations, scale } from "../../nomad-jobs.ts";
import { type Outputs, outputsOf } from "../../outputs.ts";
import { poll } from "../../poll.ts";
import { ShopClient } from "../../shop-client.ts";
import { environmentFrom, type Stack } from "../../stack.ts";
import { type Footprint, footprintOf, pidOf } from "./footprint.ts";
import type { Outage } from "./outage.ts";
import { Probes, routes } from "./probes.ts";

/** The job that is the whole shop in one process. */
const monolith = "monolith";

const because = "lab compare monolith-microservices";

/** What ending and starting one process did. */
export interface Interruption {
  /** From the order to end it until what replaces it is ready. */
  readyAfterMs: number;
  /** What the customers of each service's part of the shop have noticed. */
  routes: Record<string, Outage>;
}

/** One way to run the shop. */
export interface Side {
  /** Its processes, by job. */
  processes: Record<string, Footprint>;
  /** One job's process is stopped and started, as for a small change. */
  deployment: Interruption;
  /** The same process is killed. */
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
 * Runs the shop both ways, and does the same to both. The jobs have as many instances as before afterwards, whatever happens.
 *
 * @throws LabError when the stack is not healthy
 */
export async function compareMonolith(stack: Stack, options: CompareOptions): Promise<MonolithComparison> {
  const outputs = await outputsOf(stack);
  await refuseUnhealthy(stack, outputs, [options.service], options.signal);
  const shop = new ShopClient(outputs.urls.gateway);
  try {
    const admin = await shop.login(outputs.credentials.shopAdmin);
    const bench = new Bench(stack, outputs, await admin.token(), options);
    return await bench.compare();
  } finally {
    await shop.close();
  }
}

class Bench {
  readonly #outputs: Outputs;
  readonly #token: string;
  readonly #options: CompareOptions;
  readonly #footprintOf: (instance: Instance) => Footprint;

  constructor(stack: Stack, outputs: Outputs, token: string, options: CompareOptions) {
    const { ports } = environmentFrom(stack);
    this.#outputs = outputs;
    this.#token = token;
    this.#options = options;
    this.#footprintOf = (instance) => footprintOf(instance, ports, stack.folders.releases);
  }

  async compare(): Promise<MonolithComparison> {
    const { service, say, signal } = this.#options;
    const outputs = this.#outputs;
    const counts = new Map<string, number>();
    for (const job of [monolith, service]) {
      counts.set(job, await countOf(outputs, job));
    }
    try {
      say("  the monolith starts");
      const [instance] = await this.#scaleTo(monolith, Math.max(1, counts.get(monolith) as number));
      signal.throwIfAborted();
      const services = routes.map(({ service }) => service);
      return {
        service,
        microservices: await this.#measure(service, outputs.urls.gateway, services),
        monolith: await this.#measure(monolith, `http://${(instance as Instance).address}`, [monolith]),
      };
    } finally {
      say("  the jobs get their instances back");
      for (const [job, count] of counts) {
        await this.#scaleTo(job, count);
      }
    }
  }

  async #measure(job: string, base: string, jobs: readonly string[]): Promise<Side> {
    const { say } = this.#options;
    say(`  ${job} is stopped and started`);
    const deployment = await this.#interrupt(job, base, async () => {
      const [allocation] = await runningAllocations(this.#outputs, job);
      await restartAllocation(this.#outputs, allocation as string);
    });
    say(`  ${job} is killed`);
    const crash = await this.#interrupt(job, base, async (pid) => {
      process.kill(pid, "SIGKILL");
    });
    // Every connection that it needs has been made by the requests.
    const processes: Record<string, Footprint> = {};
    for (const name of jobs) {
      processes[name] = this.#footprintOf(await this.#firstOf(name));
    }
    say(`  ${job} gets another instance`);
    return { processes, deployment, crash, scaling: await this.#addOne(job) };
  }

  async #interrupt(job: string, base: string, act: (pid: number) => Promise<void>): Promise<Interruption> {
    const { signal } = this.#options;
    const { address } = await this.#firstOf(job);
    const probes = new Probes(base, this.#token);
    let readyAfterMs = 0;
    try {
      await probes.untilCalm(signal);
      probes.forget();
      const pid = pidOf({ address });
      if (pid === undefined) {
        throw new Error(`Nothing listens at ${address}.`);
      }
      const startedMs = performance.now();
      await act(pid);
      await poll(`${job} to be ready again`, async () => {
        const now = pidOf({ address });
        return now !== undefined && now !== pid && (await isReady(address)) ? true : undefined;
      });
      readyAfterMs = Math.round(performance.now() - startedMs);
      await probes.untilCalm(signal);
    } finally {
      await probes.close();
    }
    return { readyAfterMs, routes: probes.outages() };
  }

  async #addOne(job: string): Promise<Side["scaling"]> {
    const before = await instancesOf(this.#outputs, job);
    const startedMs = performance.now();
    const after = await this.#scaleTo(job, before.length + 1);
    const readyAfterMs = Math.round(performance.now() - startedMs);
    const known = new Set(before.map(({ address }) => address));
    const added = after.find(({ address }) => !known.has(address));
    if (!added) {
      throw new Error(`${job} has got no other instance.`);
    }
    const { memoryBytes } = this.#footprintOf(added);
    await this.#scaleTo(job, before.length);
    return { readyAfterMs, memoryBytes };
  }

  /** Gives a job so many instances, and waits until just these are healthy. */
  async #scaleTo(job: string, count: number): Promise<Instance[]> {
    // Nomad refuses while a deployment of the job is under way.
    await poll(`Nomad to scale ${job}`, async () => {
      if ((await countOf(this.#outputs, job)) !== count) {
        await scale(this.#outputs, job, count, because);
      }
      return true;
    });
    return await poll(`${job} to have ${count} healthy instances`, async () => {
      const instances = await instancesOf(this.#outputs, job);
      const areAllThere =
        instances.length === count &&
        instances.every(({ checks }) => checks.every(({ status }) => status === "passing"));
      return areAllThere ? instances : undefined;
    });
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
