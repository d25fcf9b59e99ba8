import { Command } from "commander";
import { benchUp, type UpBenchmark } from "../bench/up.ts";
import { size } from "../machine.ts";
import { printResult, table } from "../output.ts";
import { installMissingTools } from "../tool-progress.ts";
import { wantsJson } from "./options.ts";

export function benchCommand(): Command {
  return new Command("bench").description("measure the lab itself").addCommand(
    new Command("up")
      .description(
        "cold, warm and no-op starts and memory of a throw-away stack, beside each server by itself",
      )
      .option("--json", "print the result as JSON")
      .action(async (_options, command: Command) => {
        await installMissingTools();
        const result = await benchUp();
        printResult(wantsJson(command), result, () => describe(result));
      }),
  );
}

function describe(result: UpBenchmark): string {
  const { coldMs, warmMs, noopMs, slowestServerMs, emptyProgramNoopMs, residentBytes, serversMs } = result;
  return table(
    ["what", "measured", "beside"],
    [
      ["cold start", seconds(coldMs), ""],
      [
        "warm start",
        seconds(warmMs),
        `${ratio(warmMs, slowestServerMs)} × the slowest server alone (aim: 2)`,
      ],
      ["nothing to do", seconds(noopMs), `${ratio(noopMs, emptyProgramNoopMs)} × an empty program (aim: 2)`],
      ["an empty Pulumi program", seconds(emptyProgramNoopMs), ""],
      ["memory", size(residentBytes), "aim: 1.8 GiB"],
      ...Object.entries(serversMs).map(([name, ms]) => [`${name} by itself`, seconds(ms), ""]),
    ],
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function ratio(one: number, other: number): string {
  return (one / other).toFixed(2);
}
