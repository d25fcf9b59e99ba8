import { Command } from "commander";
import { printResult, say } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import { seedSteps } from "../seed/data.ts";
import { loadSeed } from "../seed/load.ts";
import { stackOf, wantsJson } from "./options.ts";

export function seedCommand(): Command {
  return new Command("seed")
    .description("load the example data through the services; again changes nothing")
    .option("--json", "print the result as JSON")
    .action(async (_options, command: Command) => {
      const stack = stackOf(command);
      const { urls, credentials } = await outputsOf(stack);
      const steps = seedSteps();
      await loadSeed(urls.gateway, credentials.shopAdmin, steps, ({ name, requests }) =>
        say(`  ${name}: ${requests.length}`),
      );
      const requests = steps.reduce((sum, step) => sum + step.requests.length, 0);
      printResult(
        wantsJson(command),
        { requests },
        () => `The example data is there (${requests} requests).`,
      );
    });
}
