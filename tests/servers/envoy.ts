import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { envoyArguments, envoyConfiguration } from "../../cli/bench/gateway/proxies/envoy.ts";
import { type ProxyServer, startProxy } from "./proxy.ts";

/** Starts an Envoy that hands everything on to these ports of this machine. */
export function startEnvoy(...upstreamPorts: number[]): Promise<ProxyServer> {
  return startProxy("envoy", async (folder, port, { envoy }) => {
    const file = join(folder, "envoy.json");
    await writeFile(file, JSON.stringify(envoyConfiguration({ port, upstreamPorts })));
    return { executable: envoy, args: envoyArguments(file) };
  });
}
