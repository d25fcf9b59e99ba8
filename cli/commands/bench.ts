import { Command } from "commander";
import { descriptions } from "../bench/gateway/contestants.ts";
import { contestantNames, type Ratio } from "../bench/gateway/summary.ts";
import {
  benchGateway,
  type GatewayBenchmark,
  type GatewayBenchmarkOptions,
  gatewayBenchmarkTools,
} from "../bench/gateway.ts";
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
    .addCommand(ordersCommand())
    .addCommand(gatewayCommand());
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

function gatewayCommand(): Command {
  return new Command("gateway")
    .description(
      "requests a second and their times through the gateway, beside Envoy, HAProxy, nginx and proxies on Node.js",
    )
    .option("--rounds <n>", "rounds, in each of which every proxy has its turn", wholeNumber(1, 100), 5)
    .option("--seconds <s>", "how long each turn is", wholeNumber(1, 600), 5)
    .option("--warm-up-seconds <s>", "how long each proxy is warmed up", wholeNumber(1, 600), 5)
    .option("--connections <n>", "connections, each with one request under way", wholeNumber(1, 1000), 32)
    .option("--upstreams <n>", "instances behind the proxies", wholeNumber(1, 8), 2)
    .option("--idle-connections <n>", "idle connections whose memory is measured", wholeNumber(1, 5000), 1000)
    .option("--cpu-prof", "have the gateway write down what its processor is busy with")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nEverything runs by itself and is gone afterwards; no stack is needed.")
    .action(async (options: GatewayBenchmarkOptions & { json?: boolean }, command: Command) => {
      await installMissingTools();
      await installMissingTools({ names: gatewayBenchmarkTools });
      const { json: _json, ...settings } = options;
      const result = await interruptible((signal) => benchGateway(settings, signal));
      printResult(wantsJson(command), result, () => describeGateway(result));
    });
}

function describeGateway(result: GatewayBenchmark): string {
  const { ratios, spread, requestsPerSecond, latencyMs, idleMemory, picks, processes, settings, machine } =
    result;
  const rows = contestantNames.map((name) => {
    const { p50, p99, "p99.9": p999 } = latencyMs[name];
    const beside = name === "gateway" ? [] : besides(ratios[name], spread[name]);
    const perConnection = `${(idleMemory.bytesPer1000Connections[name] / 2 ** 20).toFixed(1)} MiB`;
    return [descriptions[name], requestsPerSecond[name], p50, p99, p999, perConnection, ...beside];
  });
  return [
    table(
      ["proxy", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "1,000 idle", "gateway ÷ it", "p99 ÷ its"],
      rows,
    ),
    "",
    table(
      ["ns a pick, among", ...Object.keys(Object.values(picks)[0] ?? {})],
      Object.entries(picks).map(([policy, costs]) => [policy, ...Object.values(costs)]),
    ),
    "",
    `The gateway with one process: ${processes[1]} requests/s; with two on the same port: ${processes[2]}.`,
    `Medians of ${settings.rounds} rounds of ${settings.seconds} s each; the ratios are those of the single rounds, with the lowest and the highest.`,
    `One worker each; wrk with one thread and ${settings.connections} connections, each of which waits for its answer before it asks again; instances: ${settings.upstreams}.`,
    `${machine.cores} × ${machine.processor}, Node.js ${machine.node}.`,
    ...(result.profileFolder ? [`The gateway's profile is in ${result.profileFolder}.`] : []),
  ].join("\n");
}

function besides(ratios: Ratio, spread: Record<keyof Ratio, [number, number]>): string[] {
  return (["throughput", "p99"] as const).map(
    (what) => `${ratios[what].toFixed(2)} (${spread[what].map((value) => value.toFixed(2)).join(" to ")})`,
  );
}

function ratio(one: number, other: number): string {
  return (one / other).toFixed(2);
}
