import ansis from "ansis";
import { Command } from "commander";
import { printResult, table } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import { withOperator } from "../queue/operator.ts";
import { readQueue } from "../queue/read.ts";
import type { QueueReport } from "../queue/report.ts";
import { stackOf, wantsJson } from "./options.ts";

export function queueCommand(): Command {
  return new Command("queue")
    .description("show the streams of events, and what waits in them for which service")
    .option("--json", "print it as JSON, with each partition")
    .action(async (_options, command: Command) => {
      const stack = stackOf(command);
      const report = await withOperator(stack, await outputsOf(stack), readQueue);
      printResult(wantsJson(command), report, () => describe(report));
    });
}

function describe({ streams, services, consumers }: QueueReport): string {
  const stuck = consumers.filter(({ redelivered }) => redelivered > 0);
  return [
    table(
      ["stream", "messages", "bytes", "newest"],
      streams.map(({ name, messages, bytes, newest }) => [name, messages, bytes, newest]),
    ),
    "",
    table(
      ["service", "pending", "ack pending", "redelivered", "pulls waiting"],
      services.map(({ service, pending, ackPending, redelivered, waiting }) => [
        service,
        pending > 0 ? ansis.yellow(String(pending)) : pending,
        ackPending,
        redelivered > 0 ? ansis.red(String(redelivered)) : redelivered,
        waiting,
      ]),
    ),
    ...stuck.map(
      ({ service, partition, pending }) =>
        `Partition ${partition} of ${service} waits for an event that is tried again; ${pending} more are behind it.`,
    ),
  ].join("\n");
}
