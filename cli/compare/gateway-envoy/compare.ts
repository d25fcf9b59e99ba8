import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BalancingName } from "../../../packages/discovery/src/policy.ts";
import { type ComparisonTools, locateComparisonTools, locateTools } from "../../../toolchain/tools.ts";
import { bundleGateway, type GatewayProgram, startGateway } from "../../bench/gateway/own-gateway.ts";
import { envoyArguments, envoyConfiguration } from "../../bench/gateway/proxies/envoy.ts";
import type { Scene } from "../../bench/gateway/scene.ts";
import {
  answers,
  askedPath,
  type People,
  startWorld,
  type World,
  withPeople,
} from "../../bench/gateway/world.ts";
import { say } from "../../output.ts";
import { type Aim, openLoad } from "./load.ts";
import { type Rival, rivalsWith } from "./settings.ts";
import { type Course, courseOf, holds } from "./shares.ts";

export interface GatewayEnvoyOptions {
  instances: number;
  /** How many of them are killed, at once. */
  dead: number;
  seconds: number;
  /** Requests a second, for each proxy. */
  rate: number;
  /** Gateways besides that only balance, each in another way. */
  bare: BalancingName[];
}

export interface GatewayEnvoyComparison {
  rivals: Array<Pick<Rival, "name" | "description"> & { course: Course }>;
  /** Since the load began. */
  killedAtMs: number;
  /** Whether so few of the gateway's requests failed as are to. */
  holds: boolean;
  settings: GatewayEnvoyOptions;
}

/** The tools that it needs besides those of an environment. */
export const gatewayEnvoyTools = ["envoy"] as const;

/** When instances are killed, in seconds since the load began. */
export const killAfterSeconds = 3;

/** How long an instance takes to answer: where all answer at once, none has more requests under way than another. */
export const takesMs = 100;

/** Consul is not to notice anything while the load lasts: what is measured is what proxies notice by themselves. */
const checkInterval = "1h";

/**
 * Kills some of the instances behind the gateway and Envoy, both with equivalent settings and both with Envoy's own, and counts the
 * requests that fail. All proxies stand before the same instances at the same time. Everything is gone afterwards.
 *
 * @throws LabError when a proxy does not start
 */
export async function compareGatewayEnvoy(
  options: GatewayEnvoyOptions,
  signal: AbortSignal,
): Promise<GatewayEnvoyComparison> {
  return await withPeople(signal, (scene, people) => measure(scene, people, options, signal));
}

async function measure(
  scene: Scene,
  people: People & { port: number },
  options: GatewayEnvoyOptions,
  signal: AbortSignal,
): Promise<GatewayEnvoyComparison> {
  const { instances, dead, seconds, rate, bare } = options;
  say(`  starting ${instances} instances and the proxies`);
  const tools = await locateComparisonTools();
  const world = await startWorld(scene, await locateTools(), instances, people, {
    checkInterval,
    takesMs,
  });
  const program = await bundleGateway(scene);
  const rivals = rivalsWith(bare);
  const aims: Aim[] = [];
  for (const rival of rivals) {
    aims.push(
      rival.program === "gateway"
        ? await startOwn(scene, program, world, rival)
        : await startEnvoy(scene, tools, world, rival),
    );
  }
  say("  warming up");
  await openLoad(aims, { rate, seconds: 1 }, signal);
  say(`  asking all of them, each ${rate} times a second`);
  const startedMs = performance.now();
  const loading = openLoad(aims, { rate, seconds }, signal);
  const killing = delay(killAfterSeconds * 1000, undefined, { signal }).then(() => {
    for (const pid of world.upstreamPids.slice(0, dead)) {
      process.kill(pid, "SIGKILL");
    }
    say(`  kill -9 of ${dead} instances`);
    return performance.now() - startedMs;
  });
  const [samples, killedAtMs] = await Promise.all([loading, killing]);
  const measured = rivals.map(({ name, description }, index) => ({
    name,
    description,
    course: courseOf(samples[index] ?? [], killedAtMs, seconds),
  }));
  return {
    rivals: measured,
    killedAtMs: Math.round(killedAtMs),
    holds: measured.some(({ name, course }) => name === "gateway" && holds(course)),
    settings: options,
  };
}

async function startOwn(
  scene: Scene,
  program: GatewayProgram,
  world: World,
  { name, policies }: Extract<Rival, { program: "gateway" }>,
): Promise<Aim> {
  const { origin } = await startGateway(scene, program, world, scene.port(), name, policies);
  return { url: `${origin}${askedPath}`, token: world.people.token };
}

async function startEnvoy(
  scene: Scene,
  { envoy }: ComparisonTools,
  { upstreamPorts, people }: World,
  { name, care }: Extract<Rival, { program: "envoy" }>,
): Promise<Aim> {
  const port = scene.port();
  const work = { ...people, accessLog: join(scene.folder, `${name}-access.log`) };
  const configuration = envoyConfiguration({ port, upstreamPorts }, work, care);
  const file = await scene.write(`${name}.json`, JSON.stringify(configuration));
  const aim = { url: `http://127.0.0.1:${port}${askedPath}`, token: people.token };
  await scene.start({
    name,
    executable: envoy,
    args: envoyArguments(file),
    ready: () => answers(aim.url, aim.token),
  });
  return aim;
}
