import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { locateTools } from "../../toolchain/tools.ts";
import { say } from "../output.ts";
import { environmentFrom } from "../stack.ts";
import { bareStartMs, runningServers } from "./bare-start.ts";
import { residentBytes } from "./memory.ts";
import { runApart } from "./run-apart.ts";
import { withThrowawayStack } from "./throwaway-stack.ts";

/** What `lab bench up` measures: milliseconds and bytes. */
export interface UpBenchmark {
  /** `lab up` with the tools installed and no data. */
  coldMs: number;
  /** `lab up` after `lab down`. */
  warmMs: number;
  /** `lab up` with nothing to do. */
  noopMs: number;
  /** The longest of `serversMs`. */
  slowestServerMs: number;
  /** `pulumi up` of a program without resources, the second time. */
  emptyProgramNoopMs: number;
  /** All processes of the environment, after the warm start. */
  residentBytes: number;
  /** Each server started by itself, without Nomad, on the same data. */
  serversMs: Record<string, number>;
}

/**
 * Measures a throw-away stack, which is gone afterwards, whatever happens.
 *
 * @param signal ends it early: between two steps, or the command that is under way
 */
export function benchUp(signal: AbortSignal): Promise<UpBenchmark> {
  return withThrowawayStack({}, signal, async ({ stack, root, folder, lab }) => {
    const coldMs = await lab("up");
    await lab("down");
    const warmMs = await lab("up");
    const noopMs = await lab("up");
    const resident = residentBytes(stack.folders.stack);
    const servers = runningServers(stack, environmentFrom(stack).ports, await locateTools());
    await lab("down");
    const serversMs: Record<string, number> = {};
    for (const server of servers) {
      signal.throwIfAborted();
      say(`  ${server.name} by itself`);
      serversMs[server.name] = Math.round(await bareStartMs(server, root));
    }
    return {
      coldMs,
      warmMs,
      noopMs,
      slowestServerMs: Math.max(...Object.values(serversMs)),
      emptyProgramNoopMs: await emptyProgramNoopMs(folder, root, signal),
      residentBytes: resident,
      serversMs,
    };
  });
}

async function emptyProgramNoopMs(folder: string, root: string, signal: AbortSignal): Promise<number> {
  say("  an empty Pulumi program");
  const { pulumi } = await locateTools();
  const project = join(folder, "empty");
  await mkdir(join(project, "state"), { recursive: true });
  await writeFile(
    join(project, "Pulumi.yaml"),
    "name: empty\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
  );
  await writeFile(join(project, "package.json"), '{"type": "module", "main": "index.js"}');
  await writeFile(join(project, "index.js"), 'import "@pulumi/pulumi";\n');
  await symlink(join(root, "node_modules"), join(project, "node_modules"));
  const run = (args: string[]) =>
    runApart(pulumi, [...args, "--non-interactive"], signal, {
      cwd: project,
      env: {
        PULUMI_BACKEND_URL: pathToFileURL(join(project, "state")).href,
        PULUMI_HOME: join(project, "home"),
        PULUMI_CONFIG_PASSPHRASE: "",
        PULUMI_SKIP_UPDATE_CHECK: "true",
      },
      reject: true,
    });
  await run(["stack", "init", "empty"]);
  await run(["up", "--yes", "--skip-preview"]);
  const startedMs = performance.now();
  await run(["up", "--yes", "--skip-preview"]);
  return Math.round(performance.now() - startedMs);
}
