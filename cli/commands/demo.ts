import { Command } from "commander";
import { describe, markdown } from "../demo/storage/report.ts";
import { demoStorage } from "../demo/storage/storage.ts";
import { interruptible } from "../interruptible.ts";
import { printResult, say } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import { stackOf, wantsJson } from "./options.ts";

export function demoCommand(): Command {
  return new Command("demo").description("show an idea at work; cleans up after itself").addCommand(
    new Command("storage")
      .description(
        "put the same questions to several storage models on the same data: statements, plans, times",
      )
      .option("--json", "print the result as JSON")
      .option("--markdown", "print the result as docs/storage-models.md holds it")
      .action(async ({ markdown: asMarkdown = false }: { markdown?: boolean }, command: Command) => {
        const outputs = await outputsOf(stackOf(command));
        const report = await interruptible((signal) => demoStorage(outputs, signal, say));
        printResult(wantsJson(command), report, () => (asMarkdown ? markdown(report) : describe(report)));
      }),
  );
}
