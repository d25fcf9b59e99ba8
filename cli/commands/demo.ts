import { Command } from "commander";
import { demoShop, type Step } from "../demo/shop/journey.ts";
import { describeErasure, describeMail, describeStep } from "../demo/shop/report.ts";
import { describeSurvivals } from "../demo/stateless/report.ts";
import { demoStateless } from "../demo/stateless/stateless.ts";
import { describe, markdown } from "../demo/storage/report.ts";
import { demoStorage } from "../demo/storage/storage.ts";
import { interruptible } from "../interruptible.ts";
import { print, printResult, say } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import { stackOf, wantsJson } from "./options.ts";

export function demoCommand(): Command {
  return new Command("demo")
    .description("show an idea at work; cleans up after itself")
    .addCommand(storageCommand())
    .addCommand(shopCommand())
    .addCommand(statelessCommand());
}

function storageCommand(): Command {
  return new Command("storage")
    .description(
      "put the same questions to several storage models on the same data: statements, plans, times",
    )
    .option("--json", "print the result as JSON")
    .option("--markdown", "print the result as docs/storage-models.md holds it")
    .action(async ({ markdown: asMarkdown = false }: { markdown?: boolean }, command: Command) => {
      const outputs = await outputsOf(stackOf(command));
      const report = await interruptible((signal) => demoStorage(outputs, signal, say));
      printResult(wantsJson(command), report, () => (asMarkdown ? markdown(report) : describe(report)));
    });
}

function shopCommand(): Command {
  return new Command("shop")
    .description(
      "go through the shop as a person would; each step with the services and stores that it touched",
    )
    .option("--json", "print the result as JSON")
    .action(async (_options, command: Command) => {
      const outputs = await outputsOf(stackOf(command));
      const json = wantsJson(command);
      const tell = json ? () => undefined : (step: Step) => print(describeStep(step));
      const journey = await interruptible((signal) => demoShop(outputs, signal, tell));
      printResult(
        json,
        journey,
        () => `${describeErasure(journey.erasure)}\n\n${describeMail(journey.mail)}`,
      );
    });
}

function statelessCommand(): Command {
  return new Command("stateless")
    .description("kill a cart service that keeps carts in its memory, and one that keeps them in Redis")
    .option("--json", "print the result as JSON")
    .action(async (_options, command: Command) => {
      const stack = stackOf(command);
      const outputs = await outputsOf(stack);
      const survivals = await interruptible((signal) => demoStateless(stack, outputs, signal, say));
      printResult(wantsJson(command), survivals, () => describeSurvivals(survivals));
    });
}
