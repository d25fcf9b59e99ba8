import ansis from "ansis";
import { Command, Option } from "commander";
import { describeGatewayChaos, summaryOf as summaryOfGateway } from "../chaos/gateway/report.ts";
import { chaosGateway, type GatewayChaosOptions } from "../chaos/gateway.ts";
import { type ChaosReport, chaosOrders } from "../chaos/orders.ts";
import { type Target, targets } from "../chaos/schedule.ts";
import { faults } from "../chaos/tally.ts";
import { exitCodes, LabError } from "../errors.ts";
import { interruptible } from "../interruptible.ts";
import { printResult, seconds, table } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import { stackOf, wantsJson, wholeNumber } from "./options.ts";

interface OrdersOptions {
  orders: number;
  customers: number;
  seed: number;
  targets?: string;
  kills: boolean;
  whileDown?: string;
  patience: number;
}

/** Services that can be stopped while orders are posted. */
const stoppable = ["payment", "notification"] as const;

export function chaosCommand(): Command {
  return new Command("chaos")
    .description("break things on purpose, and count what is lost")
    .addCommand(gatewayCommand())
    .addCommand(
      new Command("orders")
        .description("kill -9 servers and services while orders flow; then count orders, charges and mails")
        .option("--orders <count>", "how many orders are posted", Number, 300)
        .option("--customers <count>", "how many customers post them, each one after another", Number, 16)
        .option("--seed <number>", "of the order and the moments of the kills", Number, 1)
        .option("--targets <names>", `what is killed, by commas: ${targets.join(",")} (default: all)`)
        .option("--no-kills", "kill nothing")
        .addOption(
          new Option(
            "--while-down <names>",
            `kill nothing; post while these services are stopped: ${stoppable.join(",")}`,
          ).conflicts("targets"),
        )
        .option(
          "--patience <seconds>",
          "how long nothing may change before what is missing is lost",
          Number,
          60,
        )
        .option("--json", "print the result as JSON")
        .addHelpText(
          "after",
          `
Counts come from MySQL, the payment provider's ledger and the mail sink. Exit code 4 when not all orders are accepted, or one
is lost, charged twice, notified twice, out of order or never finished. A mail that is delivered again and known by its Message-ID is
stored once: such repeats are counted, and no fault.

Examples:
  lab chaos orders --orders 1000 --seed 7
  lab chaos orders --targets mysql,payment
  lab chaos orders --orders 1000 --while-down payment,notification`,
        )
        .action(async (options: OrdersOptions, command: Command) => {
          const chosen = readOptions(options);
          const stack = stackOf(command);
          const outputs = await outputsOf(stack);
          const report = await interruptible(
            (signal) => chaosOrders(stack, outputs, chosen, signal),
            "what was stopped runs again, and ./lab up starts what was killed",
          );
          printResult(wantsJson(command), summaryOf(report), () => describe(report));
          if (!report.holds) {
            process.exitCode = exitCodes.failed;
          }
        }),
    );
}

function gatewayCommand(): Command {
  return new Command("gateway")
    .description("stop, start, kill and deploy instances under users; then count the requests that failed")
    .option("--users <n>", "users at once, each with connections of their own", wholeNumber(1, 1000), 100)
    .option("--seconds <s>", "how long things go on happening", wholeNumber(5, 86_400), 300)
    .option("--seed <number>", "of what happens to whom, and of what users do", wholeNumber(0, 2 ** 31), 1)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
The gateway and the services behind the shop's front get two instances each for it. Users read products, carts and orders, fill carts
and place orders, all through the public port. A kill -9 may cost a few requests: those on a connection to the gateway that was
killed, and those under way on a service's instance that must not be carried out twice. They are counted by kill. Exit code 4 when
any other request fails.

Examples:
  lab chaos gateway
  lab chaos gateway --users 30 --seconds 60 --seed 7`,
    )
    .action(async ({ users, seconds, seed }: GatewayChaosOptions, command: Command) => {
      const stack = stackOf(command);
      const outputs = await outputsOf(stack);
      const report = await interruptible(
        (signal) => chaosGateway(stack, outputs, { users, seconds, seed }, signal),
        "every job has its instances and its version of before",
      );
      printResult(wantsJson(command), summaryOfGateway(report), () => describeGatewayChaos(report));
      if (!report.holds) {
        process.exitCode = exitCodes.failed;
      }
    });
}

function readOptions(options: OrdersOptions) {
  for (const name of ["orders", "customers", "patience"] as const) {
    if (!Number.isInteger(options[name]) || options[name] < 1) {
      throw wrong(`--${name} takes a whole number above 0.`);
    }
  }
  if (!Number.isInteger(options.seed)) {
    throw wrong("--seed takes a whole number.");
  }
  const whileDown = namesIn(options.whileDown, stoppable, "--while-down");
  const isCalm = !options.kills || whileDown.length > 0;
  return {
    orders: options.orders,
    customers: Math.min(options.customers, options.orders),
    seed: options.seed,
    targets: isCalm ? [] : namesIn<Target>(options.targets ?? targets.join(","), targets, "--targets"),
    whileDown,
    patienceMs: options.patience * 1000,
  };
}

function namesIn<T extends string>(text: string | undefined, known: readonly T[], option: string): T[] {
  const names = [...new Set((text ?? "").split(",").filter(Boolean))];
  const unknown = names.find((name) => !known.includes(name as T));
  if (unknown !== undefined) {
    throw wrong(`${option} knows no ${unknown}; it takes ${known.join(", ")}.`);
  }
  return names as T[];
}

function wrong(message: string): LabError {
  return new LabError("usage", "chaos-options", message, "lab chaos orders --help");
}

/** The report for programs: faults as counts, with the first orders that have them. */
function summaryOf({ tally, ...report }: ChaosReport) {
  const { accepted, paid, notified, repeatedMails } = tally;
  return {
    accepted,
    paid,
    notified,
    ...Object.fromEntries(faults.map((fault) => [fault, tally[fault].length])),
    repeatedMails,
    examples: Object.fromEntries(faults.map((fault) => [fault, tally[fault].slice(0, 5)])),
    ...report,
  };
}

const meanings: Record<(typeof faults)[number], [what: string, from: string]> = {
  lost: ["accepted, and without row, charge or mail", "MySQL, ledger and mail sink"],
  chargedTwice: ["charged twice", "the provider's ledger"],
  notifiedTwice: ["two mails of one kind", "the mail sink"],
  outOfOrder: ["overtaken by a later order of the same customer", "the provider's ledger and the mail sink"],
  unknown: ["in the store, and no client was told", "MySQL"],
  unfinished: ["accepted, and still on their way", "MySQL"],
};

function describe({ tally, kills, queued, ...report }: ChaosReport): string {
  const idle = kills.filter(({ underWay }) => underWay === 0).map(({ target }) => target);
  const sections = [
    kills.length > 0
      ? table(
          ["killed", "of job", "pid", "at", "accepted by then", "under way", "back after"],
          kills.map(({ target, job, pid, atMs, accepted, underWay, recoveredAfterMs }) => [
            target,
            job,
            pid,
            seconds(atMs),
            accepted,
            underWay === 0 ? ansis.yellow("0") : underWay,
            seconds(recoveredAfterMs),
          ]),
        )
      : undefined,
    queued
      ? table(
          ["while they were down", "count", "read from"],
          [
            ...Object.entries(queued.pending).map(([service, count]) => [
              `events waiting for ${service}`,
              count,
              "NATS",
            ]),
            ["events in outboxes", queued.outbox, "MySQL"],
            ["charges", queued.charges, "the provider's ledger"],
            ["mails", queued.mails, "the mail sink"],
          ],
        )
      : undefined,
    table(
      ["orders", "count", "read from"],
      [
        ["accepted", tally.accepted, "what clients were told"],
        ["paid", tally.paid, "MySQL and the provider's ledger"],
        ["notified", tally.notified, "the mail sink"],
        ...faults.map((fault) => {
          const [what, from] = meanings[fault];
          const count = tally[fault].length;
          return [what, count === 0 ? ansis.green("0") : ansis.red(String(count)), from];
        }),
        ["mails delivered again, stored once", tally.repeatedMails, "the mail sink"],
        ["refused", report.refused.length, "what clients were told"],
        ["given up on", report.unanswered, "the clients"],
        ["requests sent again", report.retries, "the clients"],
      ],
    ),
    [
      `Posted for ${seconds(report.postedForMs)}, through ${seconds(report.drainedForMs)} later; seed ${report.seed}.`,
      ...(report.isDrained ? [] : ["Not everything was through: nothing changed any more."]),
      ...report.refused.slice(0, 3).map((why) => `Refused: ${why}`),
      ...faults
        .filter((fault) => tally[fault].length > 0)
        .map((fault) => `${meanings[fault][0]}: ${tally[fault].slice(0, 5).join(", ")}`),
      ...(idle.length > 0
        ? [
            ansis.yellow(
              `Nothing was under way when ${idle.join(" and ")} died: these kills prove little. More --orders give each kill some.`,
            ),
          ]
        : []),
      ...(tally.accepted < report.orders
        ? [ansis.red(`Of ${report.orders} orders ${tally.accepted} were accepted.`)]
        : []),
      report.holds
        ? ansis.green("All orders are accepted, and nothing is lost, doubled or out of order.")
        : ansis.red("This must not be."),
    ].join("\n"),
  ];
  return sections.filter((section) => section !== undefined).join("\n\n");
}
