import ansis from "ansis";
import { Command } from "commander";
import type { Environment } from "../../infra/environment.ts";
import { describeHolder } from "../../providers/host/src/ports.ts";
import { findAll } from "../../toolchain/on-path.ts";
import { cacheFolder } from "../../toolchain/store.ts";
import { neededTools, toolRecords } from "../../toolchain/tools.ts";
import { exitCodes } from "../errors.ts";
import {
  availableMemoryBytes,
  freeDiskBytes,
  needed,
  type PortHolders,
  portHolders,
  size,
} from "../machine.ts";
import { printResult } from "../output.ts";
import { environmentFrom, type Stack } from "../stack.ts";
import { stackOf, wantsJson } from "./options.ts";

interface Finding {
  what: string;
  state: "good" | "bad";
  detail: string;
  remedy?: string;
}

/** Programs of the distribution that the jobs and the tool builds use, and the packages that they are in. */
const programs: Record<string, string> = {
  setpriv: "util-linux",
  flock: "util-linux",
  perl: "perl-base",
  "apt-get": "apt",
  dpkg: "dpkg",
  git: "git",
};

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("show what is there and what is missing, each with a remedy")
    .option("--json", "print it as JSON")
    .action(async (_options, command: Command) => {
      const findings = await examine(stackOf(command));
      printResult(wantsJson(command), findings, () => findings.map(describe).join("\n"));
      process.exitCode = findings.some(({ state }) => state === "bad") ? exitCodes.missing : exitCodes.ok;
    });
}

async function examine(stack: Stack): Promise<Finding[]> {
  const environment = environmentFrom(stack);
  const holders = portHolders(stack, environment);
  return [
    { what: "Node.js", state: "good", detail: process.versions.node },
    ...programFindings(),
    ...(await toolFindings()),
    await disk(stack.folders.home, needed.dataBytes, "the environment's data"),
    ...(holders.isRunning ? [] : [memory()]),
    ...portFindings(stack, environment, holders),
  ];
}

function programFindings(): Finding[] {
  return Object.entries(programs).map(([name, from]) =>
    findAll(name, process.env).length > 0
      ? { what: name, state: "good", detail: "on PATH" }
      : { what: name, state: "bad", detail: "not on PATH", remedy: `apt-get install ${from}` },
  );
}

async function toolFindings(): Promise<Finding[]> {
  const records = new Map((await toolRecords()).map((record) => [record.name, record]));
  const findings = neededTools.map(({ name, version }): Finding => {
    const record = records.get(name);
    return record
      ? { what: name, state: "good", detail: `${version}, ${record.where}` }
      : {
          what: name,
          state: "bad",
          detail: `${version} is not installed`,
          remedy: "./lab up installs it; ./lab toolchain install does only that",
        };
  });
  return neededTools.some(({ name }) => !records.has(name))
    ? [...findings, await disk(cacheFolder(process.env), needed.buildBytes, "building tools")]
    : findings;
}

async function disk(folder: string, bytes: number, purpose: string): Promise<Finding> {
  const free = await freeDiskBytes(folder);
  return free >= bytes
    ? { what: "disk", state: "good", detail: `${size(free)} free for ${purpose} in ${folder}` }
    : {
        what: "disk",
        state: "bad",
        detail: `${size(free)} free in ${folder}; ${purpose} takes up to ${size(bytes)}`,
        remedy: "free some space, or set LAB_HOME and LAB_CACHE to folders on another disk",
      };
}

function memory(): Finding {
  const available = availableMemoryBytes();
  return available >= needed.memoryBytes
    ? { what: "memory", state: "good", detail: `${size(available)} available` }
    : {
        what: "memory",
        state: "bad",
        detail: `${size(available)} available; an environment takes about ${size(needed.memoryBytes)}`,
        remedy: "end other programs, or stop another stack (./lab down --stack <name>)",
      };
}

function portFindings(stack: Stack, { ports }: Environment, { isRunning, foreign }: PortHolders): Finding[] {
  if (foreign.length === 0) {
    const detail = `${ports.consulHttp} and the others are ${isRunning ? "held by this stack" : "free"}`;
    return [{ what: "ports", state: "good", detail }];
  }
  return foreign.map((holder) => ({
    what: "ports",
    state: "bad",
    detail: describeHolder(holder),
    remedy: `end that process, or give stack ${stack.name} another lab:portBase in ${stack.configSource}`,
  }));
}

function describe({ what, state, detail, remedy }: Finding): string {
  const mark = state === "good" ? ansis.green("✓") : ansis.red("✗");
  return `${mark} ${what}: ${detail}${remedy ? `\n    ${remedy}` : ""}`;
}
