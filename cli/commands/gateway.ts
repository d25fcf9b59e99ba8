import { readFile } from "node:fs/promises";
import { clearScreenDown, cursorTo } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { LabError } from "../errors.ts";
import { readGateways } from "../gateway/gateways.ts";
import { readPolicies, removePolicies, writePolicies } from "../gateway/policies.ts";
import { describeGateways, type Sight } from "../gateway/view.ts";
import { interruptible } from "../interruptible.ts";
import { print, printResult } from "../output.ts";
import { type Outputs, outputsOf } from "../outputs.ts";
import type { Stack } from "../stack.ts";
import { stackOf, wantsJson } from "./options.ts";

const watchMs = 1000;

export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("show each instance as the gateway sees it, and why; or change the gateway's policies")
    .option("--watch", "go on showing it, each second, until Ctrl-C")
    .option("--json", "print it as JSON; with --watch one line each second")
    .action(async ({ watch = false }: { watch?: boolean }, command: Command) => {
      const stack = stackOf(command);
      const outputs = await outputsOf(stack);
      if (watch) {
        await watchGateways(stack, outputs, wantsJson(command));
        return;
      }
      const sight = await look(stack, outputs);
      printResult(wantsJson(command), sight.gateways, () => describeGateways(sight));
    })
    .addCommand(policiesCommand());
}

function policiesCommand(): Command {
  return new Command("policies")
    .description("what is laid over the configured policies while the gateways run, without a lost request")
    .addHelpText(
      "after",
      `
A file of policies holds only what is to differ, such as:
  { "services": { "product": { "balancing": "least-connections" } },
    "rateLimit": { "address": { "limit": 10, "windowSeconds": 60 } } }
docs/gateway.md has them all.`,
    )
    .addCommand(
      new Command("show")
        .description("print the policies in Consul")
        .option("--json", "print them as JSON")
        .action(async (_options, command: Command) => {
          const policies = (await readPolicies(await outputsOf(stackOf(command)))) ?? {};
          printResult(wantsJson(command), policies, () => JSON.stringify(policies, null, 2));
        }),
    )
    .addCommand(
      new Command("set")
        .description("check policies, write them to Consul, and wait until every gateway has them")
        .argument("<file>", "of JSON; - for standard input")
        .option("--json", "print the result as JSON")
        .action(async (file: string, _options, command: Command) => {
          const stack = stackOf(command);
          const gateways = await writePolicies(stack, await outputsOf(stack), await readJson(file));
          printResult(wantsJson(command), { gateways }, () => `In use by ${counted(gateways)}.`);
        }),
    )
    .addCommand(
      new Command("unset")
        .description("remove the policies from Consul; those of the configuration count alone then")
        .option("--json", "print the result as JSON")
        .action(async (_options, command: Command) => {
          const stack = stackOf(command);
          const gateways = await removePolicies(stack, await outputsOf(stack));
          printResult(wantsJson(command), { gateways }, () => `Removed; ${counted(gateways)} heard of it.`);
        }),
    );
}

async function look(stack: Stack, outputs: Outputs): Promise<Sight> {
  return { atMs: performance.now(), gateways: await readGateways(stack, outputs) };
}

async function watchGateways(stack: Stack, outputs: Outputs, json: boolean): Promise<void> {
  const isTerminal = process.stdout.isTTY && !json;
  let before: Sight | undefined;
  await interruptible(async (signal) => {
    while (!signal.aborted) {
      const sight = await look(stack, outputs);
      if (isTerminal) {
        cursorTo(process.stdout, 0, 0);
        clearScreenDown(process.stdout);
      }
      print(json ? JSON.stringify(sight.gateways) : `${describeGateways(sight, before)}\n`);
      before = sight;
      await delay(watchMs, undefined, { signal });
    }
  }, "nothing was changed");
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(file === "-" ? await text(process.stdin) : await readFile(file, "utf8"));
  } catch (error) {
    throw new LabError(
      "usage",
      "policies",
      `${file} can't be read as JSON: ${(error as Error).message}`,
      "Give a file that holds one JSON object.",
    );
  }
}

function counted(gateways: number): string {
  return gateways === 1 ? "the gateway" : `all ${gateways} gateways`;
}
