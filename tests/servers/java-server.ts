import { resolve } from "node:path";
import { configure } from "../../toolchain/class-data.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createServerProcess, type ServerProcess } from "./server-process.ts";

const toolchain = resolve(import.meta.dirname, "..", "..", "toolchain");

/**
 * A server that Java runs, not started yet, with the configuration of its trial start (`toolchain/<name>/trial`).
 *
 * @param port the first of three free ones, the one that its clients connect to
 */
export async function createJavaServer(
  name: "cassandra" | "neo4j",
  port: number,
  ready: () => Promise<boolean>,
): Promise<ServerProcess> {
  const tools = await locateTools();
  const { lib, cds } = tools[name];
  return createServerProcess(
    name,
    async (folder) => {
      await configure(resolve(toolchain, name, "trial"), folder, {
        folder,
        lib,
        port,
        port2: port + 1,
        port3: port + 2,
      });
      return {
        executable: "setpriv",
        // Cassandra would pin its heap in memory if it had the right to.
        args: [
          ...(process.getuid?.() === 0 ? ["--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"] : []),
          ...["--pdeathsig", "KILL", "--", tools.java],
          ...(cds ? [`-XX:SharedArchiveFile=${cds}`] : []),
          "@arguments",
        ],
        environment: { NEO4J_HOME: folder, NEO4J_CONF: folder },
      };
    },
    ready,
  );
}
