import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import ansis from "ansis";
import { Command } from "commander";
import { type Environment, serviceNames } from "../../infra/environment.ts";
import { listeningPorts } from "../../infra/ports.ts";
import { readProc } from "../../providers/host/src/identity.ts";
import { describeHolder, type Holder, holdersOf } from "../../providers/host/src/ports.ts";
import { findAll } from "../../toolchain/on-path.ts";
import { cacheFolder } from "../../toolchain/store.ts";
import { toolRecords, tools } from "../../toolchain/tools.ts";
import { exitCodes } from "../errors.ts";
import { printResult } from "../output.ts";
import { environmentFrom, type Stack } from "../stack.ts";
import { stackOf, wantsJson } from "./options.ts";

interface Finding {
  what: string;
  state: "good" | "bad";
  detail: string;
  remedy?: string;
}

const gib = 1024 ** 3;

/** What a fresh start needs: measured, see the README. */
const needed = {
  memoryBytes: 2.5 * gib,
  dataBytes: 1 * gib,
  /** While the Go tools are built. */
  buildBytes: 12 * gib,
};

/** Programs of the distribution that the jobs and the tool builds use. */
const programs: Record<string, string> = {
  setpriv: "util-linux",
  flock: "util-linux",
  perl: "perl",
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
  const holders = holdersOf(listeningPorts(environment.ports).map(([, port]) => port));
  const isRunning = holders.some((holder) => isOurs(holder, stack));
  return [
    { what: "Node.js", state: "good", detail: process.versions.node },
    ...programsMissing(),
    ...(await toolFindings()),
    await disk(stack.folders.home, needed.dataBytes, "the environment's data"),
    ...(isRunning ? [] : [memory()]),
    ...ports(stack, environment, holders),
  ];
}

function programsMissing(): Finding[] {
  return Object.entries(programs).map(([name, from]) =>
    findAll(name, process.env).length > 0
      ? { what: name, state: "good", detail: "on PATH" }
      : { what: name, state: "bad", detail: "not on PATH", remedy: `apt-get install ${from}` },
  );
}

async function toolFindings(): Promise<Finding[]> {
  const records = new Map((await toolRecords()).map((record) => [record.name, record]));
  const missing = tools.filter(({ name }) => !records.has(name));
  const found: Finding[] = tools
    .filter(({ name }) => records.has(name))
    .map(({ name, version }) => ({
      what: name,
      state: "good",
      detail: `${version}, ${records.get(name)?.where}`,
    }));
  const absent: Finding[] = missing.map(({ name, version }) => ({
    what: name,
    state: "bad",
    detail: `${version} is not installed`,
    remedy: "./lab up installs it; ./lab toolchain install does only that",
  }));
  const builds =
    missing.length > 0 ? [await disk(cacheFolder(process.env), needed.buildBytes, "building tools")] : [];
  return [...found, ...absent, ...builds];
}

async function disk(folder: string, bytes: number, purpose: string): Promise<Finding> {
  let existing = folder;
  while (!existsSync(existing)) {
    existing = dirname(existing);
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
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
  const available =
    Number(readFileSync("/proc/meminfo", "utf8").match(/^MemAvailable:\s+(\d+) kB/m)?.[1] ?? 0) * 1024;
  return available >= needed.memoryBytes
    ? { what: "memory", state: "good", detail: `${size(available)} available` }
    : {
        what: "memory",
        state: "bad",
        detail: `${size(available)} available; a stack takes about ${size(needed.memoryBytes)}`,
        remedy: `end other programs, or leave out services (lab:instances: {${serviceNames[4]}: 0})`,
      };
}

function ports(stack: Stack, { ports: all }: Environment, holders: Holder[]): Finding[] {
  const foreign = holders.filter((holder) => !isOurs(holder, stack));
  if (foreign.length === 0) {
    const detail = holders.length > 0 ? "held by this stack" : "free";
    return [{ what: "ports", state: "good", detail: `${all.consulHttp} and the others are ${detail}` }];
  }
  return foreign.map((holder) => ({
    what: "ports",
    state: "bad",
    detail: describeHolder(holder),
    remedy: `end that process, or give stack ${stack.name} another lab:portBase in ${stack.configSource}`,
  }));
}

/** Whether the process is of this stack: its agents and tasks name the stack's folder. */
function isOurs({ pid, command }: Holder, { folders }: Stack): boolean {
  return (
    command?.includes(folders.stack) === true ||
    (pid !== undefined && (readProc(pid, "environ") ?? "").includes(folders.stack))
  );
}

function describe({ what, state, detail, remedy }: Finding): string {
  const mark = state === "good" ? ansis.green("✓") : ansis.red("✗");
  return `${mark} ${what}: ${detail}${remedy ? `\n    ${remedy}` : ""}`;
}

function size(bytes: number): string {
  return `${(bytes / gib).toFixed(1)} GiB`;
}
