import { Command } from "commander";
import { isAlive } from "../../providers/host/src/identity.ts";
import { stop, stopSupervised } from "../../providers/host/src/stop.ts";
import { printResult, say } from "../output.ts";
import type { Stack } from "../stack.ts";
import { type AgentProcess, agentsOf, hasState } from "../state.ts";
import { stackOf, wantsJson } from "./options.ts";

/** Databases write what they have in memory when they are told to end. */
const taskTimeoutMs = 30_000;
const agentTimeoutMs = 15_000;

export function downCommand(): Command {
  return new Command("down")
    .description(
      "stop a stack's agents and tasks; jobs stay registered and data is kept, so that `up` brings all back",
    )
    .option("--json", "print the result as JSON")
    .action(async (_options, command: Command) => {
      const stack = stackOf(command);
      const stopped = await down(stack);
      printResult(wantsJson(command), { stopped }, () =>
        stopped.length > 0
          ? `Stack ${stack.name} is down: ${stopped.join(" and ")} stopped, data kept. ./lab up brings all back.`
          : `Stack ${stack.name} was not running.`,
      );
    });
}

/**
 * Stops Nomad first, so that it restarts nothing, then what it supervised, then Consul.
 *
 * @returns the agents that were running
 */
export async function down(stack: Stack): Promise<string[]> {
  if (!hasState(stack)) {
    return [];
  }
  const agents = await agentsOf(stack);
  const running = agents.filter(isAlive).map(({ name }) => name);
  for (const agent of byDependency(agents)) {
    if (isAlive(agent)) {
      say(`Stopping ${agent.name} …`);
    }
    await stop(agent, agentTimeoutMs);
    await stopSupervised(agent.stateFolder, agent.command, taskTimeoutMs);
  }
  // What a killed update has started and could not record.
  await stopSupervised(stack.folders.stack, "", agentTimeoutMs);
  return running;
}

function byDependency(agents: AgentProcess[]): AgentProcess[] {
  return agents.toSorted((one, other) => Number(one.name !== "nomad") - Number(other.name !== "nomad"));
}
