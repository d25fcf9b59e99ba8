import { Command } from "commander";
import { benchOrders, type OrdersBenchmark, type OrdersBenchmarkOptions } from "../bench/orders.ts";
import { benchUp, type UpBenchmark } from "../bench/up.ts";
import { interruptible } from "../interruptible.ts";
import { size } from "../machine.ts";
import { printResult, seconds, table } from "../output.ts";
import { median } from "../statistics.ts";
import { installMissingTools } from "../tool-progress.ts";
import { wantsJson, wholeNumber } from "./options.ts";

export function benchCommand(): Command {
  return new Command("bench")
    .description("measure the lab itself")
    .addCommand(upCommand())
    .addCommand(ordersCommand());
}

function upCommand(): Command {
  return new Command("up")
    .description("cold, warm and no-op starts and memory of a throw-away stack, beside each server by itself")
    .option("--json", "print the result as JSON")
    .action(async (_options, command: Command) => {
      await installMissingTools();
      const result = await interruptible(benchUp);
      printResult(wantsJson(command), result, () => describeUp(result));
    });
}

function ordersCommand(): Command {
  return new Command("orders")
    .description(
      "orders that the order service accepts a second, beside its transactions alone; and the time until the mail",
    )
    .option("--instances <n>", "instances of the order service", wholeNumber(1, 8), 1)
    .option("--round-ms <ms>", "how long a round is", wholeNumber(100, 60_000), 2000)
    .option("--warm-up-ms <ms>", "how long the service takes orders before", wholeNumber(0, 60_000), 10_000)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nIt brings up a stack of its own, which is gone afterwards; others that run take part of the machine.",
    )
    .action(async ({ instances, roundMs, warmUpMs }: OrdersBenchmarkOptions, command: Command) => {
      await installMissingTools();
      const result = await interruptible((signal) => benchOrders({ instances, roundMs, warmUpMs }, signal));
      printResult(wantsJson(command), result, () => describeOrders(result));
    });
}

function describeOrders({
  ordersPerSecond,
  transactionsPerSecond,
  ratio,
  acceptToMailMs,
  spread,
  rounds,
  settings,
}: OrdersBenchmark): string {
  const together = median(rounds.map(({ ordersPerTransaction }) => ordersPerTransaction));
  const { instances, roundMs, warmUpMs, clients, connections, flushAtCommit, mails, mailOrdersPerSecond } =
    settings;
  return [
    table(
      ["what", "measured", "of the rounds"],
      [
        ["orders accepted and told of, a second", ordersPerSecond, spread.ordersPerSecond.join(" to ")],
        ["transactions a second", transactionsPerSecond, spread.transactionsPerSecond.join(" to ")],
        ["ratio", ratio, "aim: 0.6"],
        ["from acceptance to mail, half of them", `${acceptToMailMs.p50} ms`, ""],
        ["from acceptance to mail, 99 of 100", `${acceptToMailMs.p99} ms`, ""],
      ],
    ),
    "",
    `Rounds of ${seconds(roundMs)}, after ${seconds(warmUpMs)} of orders; ${clients} customers at once; instances of the order service: ${instances}; ` +
      `${connections} connections to MySQL either way, innodb_flush_log_at_trx_commit = ${flushAtCommit}.`,
    `The transactions hold one order each. The service commits orders that come at the same time together: ${together} in one.`,
    `Other services get no events meanwhile. The time until the mail is of ${mails} orders, ${mailOrdersPerSecond} a second, with all services.`,
  ].join("\n");
}

function describeUp(result: UpBenchmark): string {
  const { coldMs, warmMs, noopMs, slowestServerMs, emptyProgramNoopMs, residentBytes, serversMs } = result;
  return table(
    ["what", "measured", "beside"],
    [
      ["cold start", seconds(coldMs, 2), ""],
      [
        "warm start",
        seconds(warmMs, 2),
        `${ratio(warmMs, slowestServerMs)} × the slowest server alone (aim: 2)`,
      ],
      [
        "nothing to do",
        seconds(noopMs, 2),
        `${ratio(noopMs, emptyProgramNoopMs)} × an empty program (aim: 2)`,
      ],
      ["an empty Pulumi program", seconds(emptyProgramNoopMs, 2), ""],
      ["memory", size(residentBytes), "aim: 1.8 GiB"],
      ...Object.entries(serversMs).map(([name, ms]) => [`${name} by itself`, seconds(ms, 2), ""]),
    ],
  );
}

function ratio(one: number, other: number): string {
  return (one / other).toFixed(2);
}
