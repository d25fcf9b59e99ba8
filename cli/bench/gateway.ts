import { mkdtemp } from "node:fs/promises";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { measurePicks, type PickCosts } from "../../packages/discovery/src/bench.ts";
import { type ComparisonTools, locateComparisonTools, locateTools } from "../../toolchain/tools.ts";
import { LabError } from "../errors.ts";
import { say } from "../output.ts";
import { type Contestant, startContestants } from "./gateway/contestants.ts";
import { idleBytesPer1000 } from "./gateway/idle-memory.ts";
import { bundleGateway } from "./gateway/own-gateway.ts";
import { measureProcesses, type ProcessCosts } from "./gateway/processes.ts";
import type { Scene } from "./gateway/scene.ts";
import {
  type ContestantName,
  contestantNames,
  perName,
  type Round,
  rotated,
  type Summary,
  summaryOf,
} from "./gateway/summary.ts";
import { answers, type People, startWorld, withPeople } from "./gateway/world.ts";
import { runWrk } from "./gateway/wrk.ts";

/** What is measured, and for how long. */
export interface GatewayBenchmarkOptions {
  rounds: number;
  /** Of each proxy in each round. */
  seconds: number;
  warmUpSeconds: number;
  /** Each has one request under way. */
  connections: number;
  /** Instances behind the proxies. */
  upstreams: number;
  idleConnections: number;
  /** Has the gateway write down what its processor is busy with. */
  cpuProf?: boolean;
}

/** What `lab bench gateway` measures. */
export interface GatewayBenchmark extends Summary {
  rounds: Round[];
  /** Of one pick and its release, in nanoseconds, by policy and number of endpoints. */
  picks: PickCosts;
  /** Requests a second by the number of processes of the gateway on one port. */
  processes: ProcessCosts;
  idleMemory: { bytesPer1000Connections: Record<ContestantName, number> };
  settings: GatewayBenchmarkOptions;
  machine: { processor: string; cores: number; memoryBytes: number; kernel: string; node: string };
  /** The folder of the gateway's profile. */
  profileFolder?: string;
}

/** Numbers of endpoints to pick among. */
const pickSizes = [10, 100, 1000, 10_000];

/** The tools that it needs besides those of an environment. */
export const gatewayBenchmarkTools = ["envoy", "nginx", "haproxy", "wrk"] as const;

/**
 * Measures the gateway with everything on beside other proxies in front of the same instances, in turns in one run. Everything runs by
 * itself on free ports, and is gone afterwards.
 *
 * @throws LabError when a proxy refuses or drops a request
 */
export async function benchGateway(
  options: GatewayBenchmarkOptions,
  signal: AbortSignal,
): Promise<GatewayBenchmark> {
  return await withPeople(signal, (scene, people) => measure(scene, people, options, signal));
}

async function measure(
  scene: Scene,
  people: People & { port: number },
  options: GatewayBenchmarkOptions,
  signal: AbortSignal,
): Promise<GatewayBenchmark> {
  say("  starting the instances and the proxies");
  const profileFolder = options.cpuProf ? await mkdtemp(join(tmpdir(), "lab-cpu-prof-")) : undefined;
  const tools = await locateComparisonTools();
  const world = await startWorld(scene, await locateTools(), options.upstreams, people);
  const program = await bundleGateway(scene, profileFolder);
  const contestants = await startContestants(scene, world, tools, program);
  say("  warming up");
  for (const contestant of contestants) {
    await load(tools, contestant, options, options.warmUpSeconds, signal);
  }
  say("  memory of idle connections");
  const bytesPer1000Connections = {} as Record<ContestantName, number>;
  for (const contestant of contestants) {
    bytesPer1000Connections[contestant.name] = await idleBytesPer1000(contestant, options.idleConnections);
  }
  const rounds: Round[] = [];
  while (rounds.length < options.rounds) {
    rounds.push(await oneRound(tools, rotated(contestants, rounds.length), options, signal));
    say(`  round ${rounds.length}: ${describeRound(rounds.at(-1) as Round)}`);
  }
  say("  several processes of the gateway");
  const processes = await measureProcesses(scene, program, world, options, (contestant, seconds) =>
    load(tools, contestant, options, seconds, signal),
  );
  say("  picks");
  return {
    ...summaryOf(rounds),
    rounds,
    picks: measurePicks(pickSizes),
    processes,
    idleMemory: { bytesPer1000Connections },
    settings: options,
    machine: {
      processor: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryBytes: totalmem(),
      kernel: release(),
      node: process.version,
    },
    profileFolder,
  };
}

async function oneRound(
  tools: ComparisonTools,
  contestants: Contestant[],
  options: GatewayBenchmarkOptions,
  signal: AbortSignal,
): Promise<Round> {
  const round: Partial<Round> = {};
  for (const contestant of contestants) {
    round[contestant.name] = await load(tools, contestant, options, options.seconds, signal);
  }
  return round as Round;
}

async function load(
  { wrk }: ComparisonTools,
  { name, url, token }: Contestant,
  { connections }: GatewayBenchmarkOptions,
  seconds: number,
  signal: AbortSignal,
) {
  if (token && (await answers(url))) {
    throw new LabError("failed", "bad-sample", `${name} lets everybody in.`, "It must check tokens.");
  }
  // wrk counts only what is 400 or more as failed.
  if (!(await answers(url, token))) {
    throw new LabError("failed", "bad-sample", `${name} refuses to answer ${url}.`, "Run it again.");
  }
  return await runWrk(wrk, { url, token, connections, seconds }, signal);
}

function describeRound(round: Round): string {
  const figures = perName(contestantNames, (name) => round[name].requestsPerSecond);
  return Object.entries(figures)
    .map(([name, figure]) => `${name} ${figure}`)
    .join(", ");
}
