import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { portSpan } from "../../infra/ports.ts";
import { freePorts } from "../../providers/host/src/ports.ts";
import { removeFolder } from "../../providers/host/src/stop.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { LabError } from "../errors.ts";
import { say } from "../output.ts";
import { environmentFrom, openStack } from "../stack.ts";
import { bareStartMs, runningServers } from "./bare-start.ts";
import { residentBytes } from "./memory.ts";
import { runApart } from "./run-apart.ts";

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

const stackName = "bench";

/**
 * Measures a throw-away stack, which is gone afterwards, whatever happens.
 *
 * @param signal ends it early: between two steps, or the command that is under way
 */
export async function benchUp(signal: AbortSignal): Promise<UpBenchmark> {
  const folder = await mkdtemp(join(tmpdir(), "lab-bench-"));
  const root = join(import.meta.dirname, "..", "..");
  const config = join(folder, `Pulumi.${stackName}.yaml`);
  await writeFile(config, JSON.stringify({ config: { "lab:portBase": String(await freePorts(portSpan)) } }));
  Object.assign(process.env, { LAB_HOME: join(folder, "home"), LAB_CONFIG: config });
  const lab = async (args: string[], stop = signal) => {
    say(`  lab ${args.join(" ")}`);
    const startedMs = performance.now();
    const { exitCode, stderr } = await runApart(join(root, "lab"), [...args, "--stack", stackName], stop);
    if (exitCode !== 0) {
      throw new LabError(
        "failed",
        "bench",
        `lab ${args.join(" ")} failed:\n${stderr}`,
        "Mend the cause and run this again.",
      );
    }
    return Math.round(performance.now() - startedMs);
  };
  const stack = openStack(stackName);
  try {
    const coldMs = await lab(["up"]);
    await lab(["down"]);
    const warmMs = await lab(["up"]);
    const noopMs = await lab(["up"]);
    const resident = residentBytes(stack.folders.stack);
    const servers = runningServers(stack, environmentFrom(stack).ports, await locateTools());
    await lab(["down"]);
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
  } finally {
    // Not the folder, where the stack could not be destroyed: without it nobody could.
    await lab(["destroy", "--yes"], new AbortController().signal);
    await removeFolder(folder);
  }
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
