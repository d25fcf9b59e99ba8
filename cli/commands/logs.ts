import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { LabError } from "../errors.ts";
import { tasksOf, writeLog } from "../job-logs.ts";
import { notRunning, outputsOf } from "../outputs.ts";
import { stackOf } from "./options.ts";

/** Logs that no job writes: of the agents, and of the last `pulumi up`. */
const files = ["consul", "nomad", "pulumi"];

export function logsCommand(): Command {
  return new Command("logs")
    .description("print what a job's newest instance has printed")
    .argument("<job>", `a job of \`lab status\`, or ${files.join(", ")}`)
    .option("-f, --follow", "go on with what comes")
    .option("-n, --lines <count>", "how many of the last lines, about", Number, 100)
    .action(
      async (
        job: string,
        { follow = false, lines }: { follow?: boolean; lines: number },
        command: Command,
      ) => {
        const stack = stackOf(command);
        if (!Number.isInteger(lines) || lines < 1) {
          throw new LabError("usage", "lines", "--lines takes a number above 0.", "lab logs --help");
        }
        if (files.includes(job)) {
          await tail(join(stack.folders.logs, `${job}.log`), lines, follow);
          return;
        }
        const outputs = await outputsOf(stack);
        const tasks = await tasksOf(outputs, job).catch(() => {
          throw notRunning(stack, "Nomad");
        });
        if (tasks.length === 0) {
          throw new LabError(
            "usage",
            "no-such-job",
            `There is no job ${job}, or it has not run yet.`,
            "./lab status lists the jobs.",
          );
        }
        await Promise.all(tasks.map((task) => writeLog(outputs, task, { lines, follow })));
      },
    );
}

async function tail(file: string, lines: number, follow: boolean): Promise<void> {
  if (!existsSync(file)) {
    throw new LabError("missing", "no-log", `${file} does not exist.`, "./lab up writes it.");
  }
  const { signal } = await execa("tail", ["-n", String(lines), ...(follow ? ["-F"] : []), file], {
    stdio: "inherit",
    reject: false,
  });
  process.exitCode = signal === "SIGINT" ? 130 : 0;
}
