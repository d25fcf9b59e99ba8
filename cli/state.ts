import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { commandOf, type Identity, identify, parentOf } from "../providers/host/src/identity.ts";
import { processesOf, stop } from "../providers/host/src/stop.ts";
import { hasForeignBackend, pulumi, stateFile } from "./pulumi.ts";
import type { Stack } from "./stack.ts";

/** An agent that the state knows. */
export interface AgentProcess extends Identity {
  name: string;
  command: string;
  stateFolder: string;
}

const hostTimeoutMs = 2000;

interface Deployment {
  deployment: {
    resources?: Array<{ type: string; urn: string; outputs?: Record<string, unknown> }>;
    pending_operations?: unknown[];
  };
}

/** Whether the stack has ever been brought up, as far as the file backend knows. */
export function hasState(stack: Stack): boolean {
  return hasForeignBackend(stack) || existsSync(stateFile(stack));
}

/** The agents of a stack. */
export async function agentsOf(stack: Stack): Promise<AgentProcess[]> {
  const { deployment } = JSON.parse(await pulumi(stack, ["stack", "export"])) as Deployment;
  return (deployment.resources ?? [])
    .filter(({ type }) => type === "host:index/process:Process")
    .map(({ urn, outputs }) => ({
      ...(outputs as unknown as AgentProcess),
      name: urn.split("::").at(-1) as string,
    }));
}

/**
 * Clears what an update that was killed has left: its lock, its language host, and what it was about to do.
 *
 * @returns how many locks there were
 */
export async function clearKilledUpdates(stack: Stack): Promise<number> {
  const locks = clearStaleLocks(stack);
  await endOrphanedHosts(stack);
  await forgetPendingOperations(stack);
  return locks;
}

/**
 * Forgets what an interrupted update was about to do: the providers adopt what it did nevertheless, so nothing is lost, and
 * Pulumi asks no question about it.
 */
async function forgetPendingOperations(stack: Stack): Promise<void> {
  if (
    !existsSync(stateFile(stack)) ||
    !/"pending_operations": ?\[/.test(readFileSync(stateFile(stack), "utf8"))
  ) {
    return;
  }
  const exported = JSON.parse(await pulumi(stack, ["stack", "export"])) as Deployment;
  if (exported.deployment.pending_operations?.length) {
    delete exported.deployment.pending_operations;
    await pulumi(stack, ["stack", "import"], { input: JSON.stringify(exported) });
  }
}

/** Ends the language hosts of updates that were killed: they don't notice that nobody needs them any more. */
async function endOrphanedHosts({ folders }: Stack): Promise<void> {
  const orphans = processesOf(folders.pulumiHome).filter(
    (pid) => /\/pulumi-language-nodejs /.test(commandOf(pid)) && !isPulumi(parentOf(pid) ?? 0),
  );
  for (const orphan of orphans.map(identify)) {
    if (orphan) {
      await stop(orphan, hostTimeoutMs);
    }
  }
}

/**
 * Removes the locks of updates that were killed.
 *
 * @returns how many there were
 */
function clearStaleLocks({ name, folders }: Stack): number {
  const folder = join(folders.state, ".pulumi", "locks", "organization", "polyglot-lab", name);
  const stale = (existsSync(folder) ? readdirSync(folder) : [])
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith(".json") && isStale(file));
  for (const file of stale) {
    rmSync(file, { force: true });
  }
  return stale.length;
}

/** Whether its writer is gone. A lock that can't be read was cut off when its writer ended. */
function isStale(file: string): boolean {
  try {
    const { pid, hostname: host } = JSON.parse(readFileSync(file, "utf8")) as {
      pid: number;
      hostname: string;
    };
    return host === hostname() && !isPulumi(pid);
  } catch {
    return true;
  }
}

function isPulumi(pid: number): boolean {
  return basename(commandOf(pid).split(" ")[0] as string) === "pulumi";
}
