import { Command, CommanderError, Option } from "commander";
import { benchCommand } from "./commands/bench.ts";
import { chaosCommand } from "./commands/chaos.ts";
import { compareCommand } from "./commands/compare.ts";
import { demoCommand } from "./commands/demo.ts";
import { destroyCommand } from "./commands/destroy.ts";
import { dlqCommand } from "./commands/dlq.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { downCommand } from "./commands/down.ts";
import { envCommand } from "./commands/env.ts";
import { gatewayCommand } from "./commands/gateway.ts";
import { logsCommand } from "./commands/logs.ts";
import { openCommand } from "./commands/open.ts";
import { queryCommand } from "./commands/query.ts";
import { queueCommand } from "./commands/queue.ts";
import { seedCommand } from "./commands/seed.ts";
import { statusCommand } from "./commands/status.ts";
import { testCommand } from "./commands/test.ts";
import { toolchainCommand } from "./commands/toolchain.ts";
import { upCommand } from "./commands/up.ts";
import { asLabError, exitCodes } from "./errors.ts";
import { printError } from "./output.ts";

const program = new Command("lab")
  .description("A laboratory for microservices and storage models, on real servers.")
  .addOption(new Option("--stack <name>", "the stack to work on").default("dev").env("LAB_STACK"))
  .helpOption("-h, --help", "show this help")
  .helpCommand("help [command]", "show the help of a command")
  .showHelpAfterError("(--help shows what there is)")
  .enablePositionalOptions(false)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    "after",
    `
Exit codes: 0 done; 1 a mistake of the lab; 2 wrong usage or configuration; 3 something on this machine is
missing, taken or full, or the environment is not up; 4 what was tried has failed; 130 interrupted.

First: ./lab up, then ./lab seed and ./lab status.`,
  );

for (const command of [
  upCommand,
  testCommand,
  statusCommand,
  queryCommand,
  gatewayCommand,
  queueCommand,
  dlqCommand,
  seedCommand,
  demoCommand,
  logsCommand,
  openCommand,
  envCommand,
  doctorCommand,
  downCommand,
  destroyCommand,
  compareCommand,
  benchCommand,
  chaosCommand,
  toolchainCommand,
]) {
  program.addCommand(command().copyInheritedSettings(program));
}

// A reader that has seen enough (`lab logs … | head`) is no mistake.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") {
      throw error;
    }
    process.exit(exitCodes.ok);
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) {
    process.exitCode = exitCodes.ok;
  } else {
    const json = process.argv.includes("--json");
    const problem = asLabError(error);
    // Commander has said in words what is wrong with the command line.
    if (json || !(error instanceof CommanderError)) {
      printError(json, problem);
    }
    process.exitCode = problem.exitCode;
  }
}
