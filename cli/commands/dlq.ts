import type { JetStreamManager } from "@nats-io/jetstream";
import { Command } from "commander";
import { LabError } from "../errors.ts";
import { printResult, table } from "../output.ts";
import { outputsOf } from "../outputs.ts";
import {
  type DeadLetter,
  readDeadLetter,
  readDeadLetters,
  replay,
  replayThoseLeft,
} from "../queue/dead-letters.ts";
import { withOperator } from "../queue/operator.ts";
import { stackOf, wantsJson } from "./options.ts";

export function dlqCommand(): Command {
  return new Command("dlq")
    .description("events that a service could not handle: look at them, and let them be tried again")
    .addCommand(list())
    .addCommand(show())
    .addCommand(again());
}

function list(): Command {
  return new Command("list")
    .description("list the dead letters, oldest first")
    .option("--json", "print them as JSON")
    .action(async (_options, command: Command) => {
      const letters = await run(command, readDeadLetters);
      printResult(wantsJson(command), letters, () => describeAll(letters));
    });
}

function show(): Command {
  return new Command("show")
    .description("show one dead letter with its data")
    .argument("<seq>", "its number in the list", sequenceOf)
    .option("--json", "print it as JSON")
    .action(async (sequence: number, _options, command: Command) => {
      const letter = await run(command, (manager) => readDeadLetter(manager, sequence));
      printResult(wantsJson(command), letter, () =>
        Object.entries(letter)
          .map(
            ([name, value]) =>
              `${name}: ${typeof value === "object" ? JSON.stringify(value, null, 2) : value}`,
          )
          .join("\n"),
      );
    });
}

function again(): Command {
  return new Command("replay")
    .description("publish a dead letter's event again, and remove the dead letter")
    .argument("[seq]", "its number in the list", sequenceOf)
    .option("--all", "all that are there now, oldest first")
    .option("--json", "print what was replayed as JSON")
    .action(async (sequence: number | undefined, { all = false }: { all?: boolean }, command: Command) => {
      if ((sequence === undefined) !== all) {
        throw new LabError("usage", "which", "Give a dead letter's number, or --all.", "./lab dlq list");
      }
      const replayed = await run(command, async (manager) => {
        if (sequence !== undefined) {
          return [await replay(manager, sequence)];
        }
        const letters = await readDeadLetters(manager);
        return await replayThoseLeft(
          manager,
          letters.map((letter) => letter.sequence),
        );
      });
      printResult(wantsJson(command), replayed, () =>
        [
          ...replayed.map(({ sequence, id, subject }) => `${sequence}: event ${id} to ${subject}`),
          `${replayed.length} replayed.`,
        ].join("\n"),
      );
    });
}

async function run<T>(command: Command, action: (manager: JetStreamManager) => Promise<T>): Promise<T> {
  const stack = stackOf(command);
  return await withOperator(stack, await outputsOf(stack), action);
}

function describeAll(letters: DeadLetter[]): string {
  return letters.length === 0
    ? "There are no dead letters."
    : table(
        ["seq", "given up", "service", "type", "key", "attempts", "reason"],
        letters.map(({ sequence, time, service, type, key, attempts, reason }) => [
          sequence,
          time,
          service,
          type,
          key,
          attempts,
          reason,
        ]),
      );
}

function sequenceOf(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) {
    throw new LabError(
      "usage",
      "seq",
      `${text} is no number of a dead letter.`,
      "./lab dlq list shows the numbers.",
    );
  }
  return Number(text);
}
