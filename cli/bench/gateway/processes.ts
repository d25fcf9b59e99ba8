import { median } from "../../statistics.ts";
import type { Contestant } from "./contestants.ts";
import { type GatewayProgram, startGateway } from "./own-gateway.ts";
import type { Scene } from "./scene.ts";
import { askedPath, type World } from "./world.ts";
import type { Sample } from "./wrk.ts";

/** Requests a second through one port, by how many processes of the gateway share it: medians of the rounds. */
export type ProcessCosts = Record<1 | 2, number>;

export interface ProcessOptions {
  rounds: number;
  seconds: number;
  warmUpSeconds: number;
}

/** Measures what a second process of the gateway on the same port is good for, in turns. */
export async function measureProcesses(
  scene: Scene,
  { main }: GatewayProgram,
  world: World,
  { rounds, seconds, warmUpSeconds }: ProcessOptions,
  load: (contestant: Contestant, seconds: number) => Promise<Sample>,
): Promise<ProcessCosts> {
  const sharing = async (count: number): Promise<Contestant> => {
    const port = scene.port();
    const pids: number[] = [];
    while (pids.length < count) {
      const name = `gateway-${pids.length + 1}-of-${count}`;
      pids.push((await startGateway(scene, { main }, world, port, name)).pid);
    }
    const url = `http://127.0.0.1:${port}${askedPath}`;
    return { name: "gateway", pids, url, token: world.people.token };
  };
  const [one, two] = [await sharing(1), await sharing(2)];
  await load(one, warmUpSeconds);
  await load(two, warmUpSeconds);
  const samples: Record<1 | 2, number[]> = { 1: [], 2: [] };
  while (samples[2].length < rounds) {
    samples[1].push((await load(one, seconds)).requestsPerSecond);
    samples[2].push((await load(two, seconds)).requestsPerSecond);
  }
  return { 1: Math.round(median(samples[1])), 2: Math.round(median(samples[2])) };
}
