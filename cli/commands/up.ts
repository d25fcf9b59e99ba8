import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import ansis from "ansis";
import { Command } from "commander";
import { readCluster, unhealthy } from "../cluster.ts";
import { LabError } from "../errors.ts";
import { refuseUnfitMachine } from "../machine.ts";
import { printResult, say } from "../output.ts";
import { type Outputs, outputsOf } from "../outputs.ts";
import { prepareStack, pulumi } from "../pulumi.ts";
import { environmentFrom, prepareFolders, type Stack, syncConfig } from "../stack.ts";
import { clearKilledUpdates } from "../state.ts";
import { installMissingTools } from "../tool-progress.ts";
import { stackOf, wantsJson } from "./options.ts";
import { describeStatus, type StatusReport, statusOf } from "./status.ts";

/** How long checks may take to pass once every deployment is healthy: agents that were restarted look at their tasks anew. */
const healthyWithinMs = 120_000;
const pollMs = 250;

/** What an update has changed. */
export interface Changes {
  created: number;
  updated: number;
  deleted: number;
  unchanged: number;
}

export function upCommand(): Command {
  return new Command("up")
    .description("bring a stack up: tools, Pulumi, servers, services; then show what runs where")
    .option("--json", "print the result as JSON")
    .action(async (_options, command: Command) => {
      const stack = stackOf(command);
      const { changes, durationMs, report } = await up(stack);
      printResult(wantsJson(command), { changes, durationMs, ...report }, () =>
        [describeStatus(report), "", summary(stack, changes, durationMs)].join("\n"),
      );
    });
}

/** Brings a stack up and waits until every check passes. */
export async function up(
  stack: Stack,
): Promise<{ changes: Changes; durationMs: number; report: StatusReport; outputs: Outputs }> {
  await refuseUnfitMachine(stack, environmentFrom(stack));
  await installMissingTools();
  const startedMs = Date.now();
  prepareFolders(stack);
  syncConfig(stack);
  await prepareStack(stack);
  if ((await clearKilledUpdates(stack)) > 0) {
    say("Removed the lock of an update that was killed.");
  }
  const changes = await update(stack);
  const outputs = await outputsOf(stack);
  await untilHealthy(stack, outputs);
  return { changes, durationMs: Date.now() - startedMs, report: await statusOf(stack, outputs), outputs };
}

async function update(stack: Stack): Promise<Changes> {
  const log = join(stack.folders.logs, "pulumi.log");
  mkdirSync(stack.folders.logs, { recursive: true });
  writeFileSync(log, "");
  const changes: Changes = { created: 0, updated: 0, deleted: 0, unchanged: 0 };
  let interrupted = false;
  // Pulumi gets the signal too, being of the same process group: it stops and records what it did.
  const onInterrupt = () => {
    interrupted = true;
    say("Stopping: Pulumi records what is done.");
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) {
    process.on(signal, onInterrupt);
  }
  try {
    await pulumi(stack, ["up", "--yes", "--skip-preview"], {
      onLine(line) {
        appendFileSync(log, `${line}\n`);
        const done = progressOf(line);
        if (done) {
          say(`  ${done}`);
        }
        count(line, changes);
      },
    });
  } catch (error) {
    if (interrupted) {
      throw new LabError(
        "interrupted",
        "interrupted",
        "The update was interrupted.",
        "./lab up goes on from there.",
      );
    }
    throw error;
  } finally {
    for (const signal of signals) {
      process.off(signal, onInterrupt);
    }
  }
  return changes;
}

/** A line such as ` +  nomad:index:Job mysql created (4s)`, as progress; `undefined` for lines that say nothing new. */
export function progressOf(line: string): string | undefined {
  const [, type, name, what, took = ""] =
    line.match(
      /^\s*(?:@\s*)?[-+~]+\s+(\S+) (\S+) (created|updated|deleted|replaced|created replacement|deleted original)( \([\d.]+m?s\))?/,
    ) ?? [];
  return type && !type.startsWith("lab:") && !type.startsWith("pulumi:")
    ? `${ansis.dim(type.split(":").slice(-1)[0] ?? type)} ${name} ${what}${took}`
    : undefined;
}

/** Reads a line of the summary, such as `    + 12 created` or `    14 changes. 103 unchanged`. */
export function count(line: string, changes: Changes): void {
  const [, amount, what] =
    line.match(/^\s+(?:\d+ changes\. )?[-+~\s]*(\d+) (created|updated|deleted|replaced|unchanged)$/) ?? [];
  if (amount && what) {
    changes[what === "replaced" ? "updated" : (what as keyof Changes)] += Number(amount);
  }
}

async function untilHealthy(stack: Stack, outputs: Outputs): Promise<void> {
  const deadline = Date.now() + healthyWithinMs;
  for (;;) {
    const sick = await readCluster(outputs).then(unhealthy, (error: Error) => [error.message]);
    if (sick.length === 0) {
      return;
    }
    if (Date.now() > deadline) {
      throw new LabError(
        "failed",
        "unhealthy",
        `Stack ${stack.name} is up, but not healthy:\n  ${sick.join("\n  ")}`,
        "./lab logs <job> shows what a job prints, ./lab open nomad what Nomad knows of it.",
      );
    }
    await delay(pollMs);
  }
}

function summary({ name }: Stack, changes: Changes, durationMs: number): string {
  const seconds = `${(durationMs / 1000).toFixed(1)} s`;
  const changed = changes.created + changes.updated + changes.deleted;
  return changed === 0
    ? `Nothing to change: stack ${name} is as it should be (${changes.unchanged} resources, ${seconds}).`
    : `Stack ${name} is up: ${changes.created} created, ${changes.updated} updated, ${changes.deleted} deleted, ` +
        `${changes.unchanged} unchanged (${seconds}).`;
}
