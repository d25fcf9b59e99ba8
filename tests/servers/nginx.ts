import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nginxConfiguration } from "../../cli/bench/gateway/proxies/nginx.ts";
import { type ProxyServer, startProxy } from "./proxy.ts";

/** Starts an nginx that hands everything on to these ports of this machine. */
export function startNginx(...upstreamPorts: number[]): Promise<ProxyServer> {
  return startProxy("nginx", async (folder, port, { nginx: { executable, libraryPath } }) => {
    const file = join(folder, "nginx.conf");
    await writeFile(file, nginxConfiguration({ port, upstreamPorts }));
    return {
      executable,
      args: ["-p", folder, "-e", "stderr", "-c", file],
      environment: { LD_LIBRARY_PATH: libraryPath },
    };
  });
}
