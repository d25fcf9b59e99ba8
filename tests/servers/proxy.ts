import { once } from "node:events";
import { connect } from "node:net";
import { installMissingTools } from "../../cli/tool-progress.ts";
import { freePorts } from "../../providers/host/src/ports.ts";
import { type ComparisonTools, locateComparisonTools } from "../../toolchain/tools.ts";
import { createServerProcess, type ServerCommand } from "./server-process.ts";

/** Another proxy, to compare the gateway with. */
export interface ProxyServer {
  port: number;
  stop(): Promise<void>;
}

/** Starts a proxy on a free port, in a temporary folder, after installing it where it is missing. */
export async function startProxy(
  name: "envoy" | "nginx",
  commandIn: (folder: string, port: number, tools: ComparisonTools) => Promise<ServerCommand>,
): Promise<ProxyServer> {
  await installMissingTools({ names: ["envoy", "nginx", "haproxy", "wrk"] });
  const tools = await locateComparisonTools();
  const port = await freePorts(1);
  const server = await createServerProcess(
    name,
    (folder) => commandIn(folder, port, tools),
    // A request would reach what is behind it.
    () => accepts(port),
  );
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { port, stop: () => server.stop() };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } finally {
    socket.destroy();
  }
}
