import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ComparisonTools } from "../../../toolchain/tools.ts";
import { type GatewayProgram, startGateway } from "./own-gateway.ts";
import { type EnvoyWork, envoyArguments, envoyConfiguration } from "./proxies/envoy.ts";
import { haproxyConfiguration } from "./proxies/haproxy.ts";
import { nginxConfiguration } from "./proxies/nginx.ts";
import type { Scene } from "./scene.ts";
import type { ContestantName } from "./summary.ts";
import { answers, askedPath, startProgram, type World } from "./world.ts";

/** A proxy that runs. */
export interface Contestant {
  name: ContestantName;
  /** The process that does the work. */
  pids: number[];
  url: string;
  /** For those that check one. */
  token?: string;
}

/** What each is, for people. */
export const descriptions: Record<ContestantName, string> = {
  gateway: "the gateway, everything on",
  envoy: "Envoy doing the same work",
  envoyPlain: "Envoy, plain",
  haproxy: "HAProxy, plain",
  nginx: "nginx, plain",
  undici: "a bare undici pool",
  fastify: "@fastify/http-proxy",
};

/** Starts all proxies, with one worker each, in front of the same instances. */
export async function startContestants(
  scene: Scene,
  world: World,
  tools: ComparisonTools,
  program: GatewayProgram,
): Promise<Contestant[]> {
  const { upstreamPorts, people } = world;
  const gateway = await startGateway(scene, program, world, scene.port());
  const work = { ...people, accessLog: join(scene.folder, "envoy-access.log") };
  return [
    {
      name: "gateway",
      pids: [gateway.pid],
      url: `${gateway.origin}${askedPath}`,
      token: people.token,
    },
    await startEnvoy(scene, tools, upstreamPorts, "envoy", work, people.token),
    await startEnvoy(scene, tools, upstreamPorts, "envoyPlain"),
    await startHaproxy(scene, tools, upstreamPorts),
    await startNginx(scene, tools, upstreamPorts),
    await startNodeProxy(scene, upstreamPorts, "undici"),
    await startNodeProxy(scene, upstreamPorts, "fastify"),
  ];
}

async function startEnvoy(
  scene: Scene,
  { envoy }: ComparisonTools,
  upstreamPorts: number[],
  name: "envoy" | "envoyPlain",
  work?: EnvoyWork,
  token?: string,
): Promise<Contestant> {
  const port = scene.port();
  const configuration = envoyConfiguration({ port, upstreamPorts }, work);
  const file = await scene.write(`${name}.json`, JSON.stringify(configuration));
  const url = urlAt(port);
  const pid = await scene.start({
    name,
    executable: envoy,
    args: envoyArguments(file),
    ready: () => answers(url, token),
  });
  return { name, pids: [pid], url, token };
}

async function startHaproxy(
  scene: Scene,
  { haproxy: { executable, libraryPath } }: ComparisonTools,
  upstreamPorts: number[],
): Promise<Contestant> {
  const port = scene.port();
  const file = await scene.write("haproxy.cfg", haproxyConfiguration({ port, upstreamPorts }));
  const url = urlAt(port);
  const pid = await scene.start({
    name: "haproxy",
    executable,
    args: ["-db", "-f", file],
    environment: { LD_LIBRARY_PATH: libraryPath },
    ready: () => answers(url),
  });
  return { name: "haproxy", pids: [pid], url };
}

async function startNginx(
  scene: Scene,
  { nginx: { executable, libraryPath } }: ComparisonTools,
  upstreamPorts: number[],
): Promise<Contestant> {
  const port = scene.port();
  const prefix = join(scene.folder, "nginx");
  await mkdir(prefix);
  const file = await scene.write("nginx.conf", nginxConfiguration({ port, upstreamPorts }));
  const url = urlAt(port);
  const pid = await scene.start({
    name: "nginx",
    executable,
    args: ["-p", prefix, "-e", "stderr", "-c", file],
    environment: { LD_LIBRARY_PATH: libraryPath },
    ready: () => answers(url),
  });
  return { name: "nginx", pids: [pid, ...childrenOf(pid)], url };
}

async function startNodeProxy(
  scene: Scene,
  upstreamPorts: number[],
  name: "undici" | "fastify",
): Promise<Contestant> {
  const port = scene.port();
  const upstreams = JSON.stringify(upstreamPorts.map((upstream) => `http://127.0.0.1:${upstream}`));
  const pid = await startProgram(scene, `${name}-proxy`, port, { UPSTREAMS: upstreams });
  return { name, pids: [pid], url: urlAt(port) };
}

function urlAt(port: number): string {
  return `http://127.0.0.1:${port}${askedPath}`;
}

/** nginx's worker is its master's child. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}
