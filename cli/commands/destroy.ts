import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { removeFolder, stopSupervised } from "../../providers/host/src/stop.ts";
import { LabError } from "../errors.ts";
import { printResult, say } from "../output.ts";
import { pulumi } from "../pulumi.ts";
import { type Stack, syncConfig } from "../stack.ts";
import { clearKilledUpdates, hasState } from "../state.ts";
import { stackOf, wantsJson } from "./options.ts";

const unrecordedTimeoutMs = 10_000;

export function destroyCommand(): Command {
  return new Command("destroy")
    .description("pulumi destroy, then remove the stack and its data")
    .option("-y, --yes", "don't ask")
    .option("--json", "print the result as JSON")
    .action(async ({ yes }: { yes?: boolean }, command: Command) => {
      const stack = stackOf(command);
      if (!yes) {
        await confirm(stack);
      }
      await destroy(stack);
      printResult(
        wantsJson(command),
        { destroyed: stack.name },
        () => `Stack ${stack.name} and its data are gone.`,
      );
    });
}

/** Removes everything of a stack, whatever state it is in. */
export async function destroy(stack: Stack): Promise<void> {
  if (hasState(stack)) {
    syncConfig(stack);
    await clearKilledUpdates(stack);
    await pulumi(stack, ["destroy", "--yes", "--skip-preview"], {
      onLine: (line) => /^\s*[-~+]\s/.test(line) && / deleted /.test(line) && say(`  ${line.trim()}`),
    });
    // The configuration is the checkout's: Pulumi would remove it with the stack.
    await pulumi(stack, ["stack", "rm", "--yes", "--preserve-config"]);
  }
  // What a killed update has started and could not record.
  await stopSupervised(stack.folders.stack, "", unrecordedTimeoutMs);
  await removeFolder(stack.folders.stack);
}

async function confirm({ name, folders }: Stack): Promise<void> {
  const refused = new LabError(
    "usage",
    "not-confirmed",
    "Nothing was removed.",
    "lab destroy --yes asks no question.",
  );
  if (!process.stdin.isTTY) {
    throw refused;
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(
    `This ends stack ${name} and removes its data in ${folders.stack}. Type the stack's name to go on: `,
  );
  lines.close();
  if (answer.trim() !== name) {
    throw refused;
  }
}
