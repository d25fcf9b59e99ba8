import { Command, InvalidArgumentError, Option } from "commander";
import { type BalancingName, balancingNames } from "../../packages/discovery/src/policy.ts";
import {
  compareGatewayEnvoy,
  type GatewayEnvoyOptions,
  gatewayEnvoyTools,
  killAfterSeconds,
} from "../compare/gateway-envoy/compare.ts";
import { describeGatewayEnvoy } from "../compare/gateway-envoy/report.ts";
import { compareMonolith } from "../compare/monolith/compare.ts";
import { routes } from "../compare/monolith/probes.ts";
import { describeMonolith } from "../compare/monolith/report.ts";
import { type ChainName, chains, compareSyncAsync, type SyncAsyncReport } from "../compare/sync-async.ts";
import { exitCodes, LabError } from "../errors.ts";
import { interruptible } from "../interruptible.ts";
import { printResult, say, table } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import { installMissingTools } from "../tool-progress.ts";
import { stackOf, wantsJson, wholeNumber } from "./options.ts";

export function compareCommand(): Command {
  return new Command("compare")
    .description("run two ways to do the same side by side, and show what each costs")
    .addCommand(syncAsyncCommand())
    .addCommand(monolithCommand())
    .addCommand(gatewayEnvoyCommand());
}

function syncAsyncCommand(): Command {
  return new Command("sync-async")
    .description(
      "order, payment and notification by calls that wait for each other, and by a queue; also while payment is down",
    )
    .option("--rounds <n>", "rounds of each", wholeNumber(1, 20), 3)
    .option("--orders <n>", "orders in a round", wholeNumber(4, 1000), 40)
    .option("--clients <n>", "customers who order at the same time", wholeNumber(1, 200), 4)
    .option(
      "--provider-latency <ms>",
      "how much longer the payment provider takes for each answer",
      wholeNumber(0, 2000),
      0,
    )
    .option(
      "--orders-while-down <n>",
      "orders that each takes while payment is down",
      wholeNumber(1, 500),
      20,
    )
    .option("--json", "print the result as JSON")
    .action(
      async (
        options: {
          rounds: number;
          orders: number;
          clients: number;
          providerLatency: number;
          ordersWhileDown: number;
        },
        command: Command,
      ) => {
        const stack = stackOf(command);
        const outputs = await outputsOf(stack);
        const { orders: ordersPerRound, providerLatency: providerLatencyMs, ...others } = options;
        const settings = { ordersPerRound, providerLatencyMs, ...others };
        const report = await interruptible(
          (signal) => compareSyncAsync(stack, outputs, settings, signal),
          "the synchronous chain is stopped, and payment runs",
        );
        printResult(wantsJson(command), report, () => describe(report));
      },
    );
}

function monolithCommand(): Command {
  return new Command("monolith-microservices")
    .description("change, kill and scale the shop as one process, and one service of it")
    .addOption(
      new Option("--service <name>", "the service that is changed, killed and scaled")
        .choices(routes.map(({ service }) => service))
        .default("product"),
    )
    .option("--json", "print the result as JSON")
    .action(async ({ service }: { service: string }, command: Command) => {
      const stack = stackOf(command);
      const result = await interruptible(
        (signal) => compareMonolith(stack, { service, signal, say }),
        "the jobs are as before",
      );
      printResult(wantsJson(command), result, () => describeMonolith(result));
    });
}

function gatewayEnvoyCommand(): Command {
  return new Command("gateway-envoy")
    .description(
      "kill instances behind the gateway and behind Envoy, set alike and as Envoy comes, and count failed requests",
    )
    .option("--instances <n>", "instances behind the proxies", wholeNumber(2, 15), 10)
    .option("--dead <n>", "how many of them are killed at once", wholeNumber(1, 14), 5)
    .option(
      "--seconds <s>",
      `how long the load lasts; instances die after ${killAfterSeconds} s`,
      wholeNumber(killAfterSeconds + 2, 600),
      10,
    )
    .option("--rate <n>", "requests a second, for each proxy", wholeNumber(10, 2000), 200)
    .option(
      "--bare <policies>",
      `gateways besides that only balance, by commas, ${mostBare} at most: ${balancingNames.join(",")}`,
      balancingNamesIn,
      [],
    )
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Everything runs by itself and is gone afterwards; no stack is needed. Consul's checks are off, so that what helps is what the
proxies notice themselves. Gateways that only balance show what balancing alone does: an instance that fails at once has the fewest
connections. Exit code 4 when 1 % or more of the gateway's requests fail once a second has passed.

Examples:
  lab compare gateway-envoy
  lab compare gateway-envoy --bare round-robin,power-of-two,least-connections`,
    )
    .action(async (options: GatewayEnvoyOptions & { json?: boolean }, command: Command) => {
      const { json: _json, ...settings } = options;
      if (settings.dead >= settings.instances) {
        throw new LabError(
          "usage",
          "compare-options",
          "--dead takes fewer than all --instances.",
          "lab compare gateway-envoy --help",
        );
      }
      await installMissingTools();
      await installMissingTools({ names: gatewayEnvoyTools });
      const result = await interruptible((signal) => compareGatewayEnvoy(settings, signal));
      printResult(wantsJson(command), result, () => describeGatewayEnvoy(result));
      if (!result.holds) {
        process.exitCode = exitCodes.failed;
      }
    });
}

/** As many as the scene has ports for. */
const mostBare = 3;

function balancingNamesIn(text: string): BalancingName[] {
  const names = [...new Set(text.split(","))];
  if (names.length > mostBare || !names.every((name) => balancingNames.includes(name as BalancingName))) {
    throw new InvalidArgumentError(`It takes up to ${mostBare} of ${balancingNames.join(", ")}.`);
  }
  return names as BalancingName[];
}

const titles: Record<ChainName, string> = { async: "by the queue", sync: "by calls" };

function describe({ chains: measured, paymentDown, settings }: SyncAsyncReport): string {
  const row = (what: string, value: (chain: ChainName) => string | number) => [what, ...chains.map(value)];
  const ms = ({ p50, p99 }: { p50: number; p99: number }) => `${p50} ms; ${p99} ms`;
  const { rounds, ordersPerRound, clients, providerLatencyMs, ordersWhileDown } = settings;
  return [
    table(
      ["", ...chains.map((chain) => titles[chain])],
      [
        row("the customer waits (half; 99 of 100)", (chain) => ms(measured[chain].latencyMs)),
        row("until the mail", (chain) => ms(measured[chain].mailMs)),
        row("orders a second", (chain) => measured[chain].ordersPerSecond),
        row("accepted; failed", (chain) => `${measured[chain].accepted}; ${measured[chain].failed}`),
        row("payment down: accepted; failed", (chain) => {
          const { accepted, failed } = paymentDown[chain];
          return `${accepted}; ${failed}`;
        }),
        row("payment back: paid; lost", (chain) => {
          const { paidAfterwards, lost } = paymentDown[chain];
          return `${paidAfterwards}; ${lost}`;
        }),
      ],
    ),
    "",
    `${rounds} rounds of ${ordersPerRound} orders each way, in turns, by ${clients} customers at once, with a payment provider that takes`,
    `${providerLatencyMs} ms longer than it needs; ${ordersWhileDown} orders each way while payment is down.`,
  ].join("\n");
}
