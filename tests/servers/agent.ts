import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stopSupervised } from "../../providers/host/src/stop.ts";
import { createServerProcess, type ServerProcess } from "./server-process.ts";

export { until } from "../support/until.ts";

/** An agent in a folder of its own. Its `stop` ends what it supervised, too. */
export type Agent = ServerProcess;

const configFlag = { consul: "-config-file", nomad: "-config" } as const;

/**
 * An agent of HashiCorp's, not started yet.
 *
 * @param name starts the name of its temporary folder, which holds a space
 * @param ready resolves to true once the agent is of use; errors count as not yet
 */
export function createAgent(
  name: keyof typeof configFlag,
  executable: string,
  configuration: (folder: string) => object,
  ready: () => Promise<boolean>,
): Promise<Agent> {
  return createServerProcess(
    name,
    async (folder) => {
      const file = join(folder, "agent.json");
      await writeFile(file, JSON.stringify(configuration(folder)), { mode: 0o600 });
      return { executable, args: ["agent", `${configFlag[name]}=${file}`] };
    },
    ready,
    (folder) => stopSupervised(folder, executable, 5_000),
  );
}
