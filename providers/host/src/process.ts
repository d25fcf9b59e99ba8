import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { type Change, type Context, compare, type ResourceHandler } from "@lab/provider-base";
import { z } from "zod";
import { type Identity, identify, isAlive } from "./identity.ts";
import { describeHolder, holdersOf } from "./ports.ts";
import { readinessSchema, untilReady } from "./ready.ts";
import { removeFolder, stop, stopSupervised } from "./stop.ts";

const inputsSchema = z.strictObject({
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  cwd: z.string().optional(),
  files: z.record(z.string(), z.string()).default({}),
  logFile: z.string().min(1),
  stateFolder: z.string().optional(),
  ready: readinessSchema,
  ports: z.array(z.number().int()).default([]),
  stopTimeoutMs: z.number().int().positive().default(10_000),
});

type Inputs = z.infer<typeof inputsSchema>;
type Outputs = Inputs & Identity;

/** A log of an earlier run that is larger than this is set aside when the process starts. */
const maxLogBytes = 10 * 1024 * 1024;

/** How many of the log's last lines an error shows. */
const shownLogLines = 15;

/** `host:index/process:Process`: a process that outlives the provider, told apart by pid, start time and boot. */
export const processHandler: ResourceHandler<Inputs, Outputs> = {
  type: "host:index/process:Process",
  inputs: inputsSchema,
  replaceOn: ["stateFolder"],

  async diff(_context, { olds, oldInputs, news }) {
    const changes: Record<string, Change> = compare(oldInputs, news, ["stateFolder"]);
    if (!isAlive(olds)) {
      changes.pid = "update";
    }
    return { changes };
  },

  async create(context, { name, inputs }) {
    return { id: name, outputs: { ...inputs, ...(await start(context, inputs)) } };
  },

  async read(_context, { id, inputs, outputs }) {
    if (outputs.pid === undefined) {
      throw new Error("A process can't be imported: the lab starts its own.");
    }
    return { id, inputs, outputs: outputs as Outputs };
  },

  async update(context, { olds, inputs }) {
    if (isAlive(olds) && fingerprint(olds) === fingerprint(inputs)) {
      return { outputs: { ...inputs, ...identityOf(olds) } };
    }
    await stop(identityOf(olds), olds.stopTimeoutMs);
    return { outputs: { ...inputs, ...(await start(context, inputs)) } };
  },

  async delete(_context, { outputs }) {
    await stop(identityOf(outputs), outputs.stopTimeoutMs);
    rmSync(recordFile(outputs), { force: true });
    for (const file of Object.keys(outputs.files)) {
      rmSync(file, { force: true });
    }
    if (outputs.stateFolder) {
      await stopSupervised(outputs.stateFolder, outputs.command, outputs.stopTimeoutMs);
      await removeFolder(outputs.stateFolder);
    }
  },
};

/** Starts the process, or adopts the one that an interrupted run has started and could not record. */
async function start(context: Context, inputs: Inputs): Promise<Identity> {
  const identity = (await adoptable(inputs)) ?? (await launch(inputs));
  try {
    await untilReady(inputs.ready, () => ended(identity), context.signal);
  } catch (error) {
    await stop(identity, inputs.stopTimeoutMs);
    rmSync(recordFile(inputs), { force: true });
    throw new Error(
      `${inputs.command} did not become ready. ${(error as Error).message}\n` +
        `The last lines of ${inputs.logFile}:\n${lastLines(inputs.logFile)}`,
    );
  }
  return identity;
}

/** The recorded process if it lives and was started with these inputs; with others, it is ended. */
async function adoptable(inputs: Inputs): Promise<Identity | undefined> {
  const recorded = readRecord(inputs);
  if (!recorded || !isAlive(recorded.identity)) {
    return undefined;
  }
  if (recorded.fingerprint !== fingerprint(inputs)) {
    await stop(recorded.identity, inputs.stopTimeoutMs);
    return undefined;
  }
  return recorded.identity;
}

async function launch(inputs: Inputs): Promise<Identity> {
  refuseTakenPorts(inputs);
  prepare(inputs);
  const identity = await spawnDetached(inputs);
  writeRecord(inputs, identity);
  return identity;
}

function ended(identity: Identity): string | undefined {
  return isAlive(identity) ? undefined : "It ended by itself.";
}

function refuseTakenPorts({ command, ports }: Inputs): void {
  const [holder] = holdersOf(ports);
  if (holder) {
    throw new Error(
      `${command} can't start: ${describeHolder(holder)}. ` +
        `End that process, or give this stack other ports (pulumi config set lab:portBase …).`,
    );
  }
}

function prepare({ files, logFile, stateFolder }: Inputs): void {
  mkdirSync(dirname(logFile), { recursive: true });
  if (stateFolder) {
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, content, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes) {
    renameSync(logFile, `${logFile}.1`);
  }
}

/** A session of its own and no pipe to this process, so that it lives on when the provider and the CLI end. */
function spawnDetached(inputs: Inputs): Promise<Identity> {
  const log = openSync(inputs.logFile, "a", 0o600);
  const child = spawn(inputs.command, inputs.args, {
    cwd: inputs.cwd ?? inputs.stateFolder,
    detached: true,
    stdio: ["ignore", log, log],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...inputs.env },
  });
  closeSync(log);
  child.unref();
  return new Promise((resolve, reject) => {
    child.once("error", (error) =>
      reject(new Error(`${inputs.command} can't be started: ${error.message}.`)),
    );
    child.once("spawn", () => {
      const identity = identify(child.pid as number);
      identity
        ? resolve(identity)
        : reject(new Error(`${inputs.command} ended at once:\n${lastLines(inputs.logFile)}`));
    });
  });
}

function lastLines(file: string): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-shownLogLines).join("\n");
  } catch {
    return "(no log)";
  }
}

function identityOf({ pid, startTicks, bootId }: Outputs): Identity {
  return { pid, startTicks, bootId };
}

/** What a running process was started with; a change of it needs a restart. */
function fingerprint({ command, args, env, cwd, files, logFile, stateFolder }: Inputs): string {
  return createHash("sha256")
    .update(
      JSON.stringify([
        command,
        args,
        Object.entries(env).sort(),
        cwd,
        Object.entries(files).sort(),
        logFile,
        stateFolder,
      ]),
    )
    .digest("hex");
}

interface ProcessRecord {
  identity: Identity;
  fingerprint: string;
}

/** Written as soon as the process runs, long before Pulumi records it. */
function recordFile({ logFile }: Pick<Inputs, "logFile">): string {
  return `${logFile}.process.json`;
}

function readRecord(inputs: Inputs): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(inputs), "utf8"));
  } catch {
    return undefined;
  }
}

function writeRecord(inputs: Inputs, identity: Identity): void {
  const record: ProcessRecord = { identity, fingerprint: fingerprint(inputs) };
  writeFileSync(`${recordFile(inputs)}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${recordFile(inputs)}.new`, recordFile(inputs));
}
