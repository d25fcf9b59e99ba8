import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "@lab/provider-base";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { z } from "zod";
import { until } from "../../../tests/servers/agent.ts";
import { type Identity, identify, isAlive } from "./identity.ts";
import { freePorts } from "./ports.ts";
import { processHandler } from "./process.ts";

const handler = processHandler as Required<typeof processHandler>;

type Inputs = z.infer<typeof handler.inputs>;
type Outputs = Inputs & Identity;

const context: Context = {
  config: {},
  signal: new AbortController().signal,
  preview: false,
  log: () => undefined,
};

let folder: string;
let port: number;
/** Everything that a test starts, so that nothing outlives it. */
const started: Identity[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab process "));
  port = await freePorts(1);
});

afterEach(async () => {
  for (const identity of started.splice(0)) {
    if (isAlive(identity)) {
      process.kill(identity.pid, "SIGKILL");
    }
    await until(`process ${identity.pid} to end`, () => !isAlive(identity));
  }
  await rm(folder, { recursive: true });
});

/** A server that answers, says what it was told and ends when it is asked to. */
const wellBehaved = `
  process.on("SIGTERM", () => { console.log("asked to end"); process.exit(0); });
  console.log("greeting", process.env.GREETING ?? "");
  require("node:http").createServer((_, answer) => answer.end(String(process.pid)))
    .listen(Number(process.argv[1]), "127.0.0.1");`;

function inputsOf(overrides: Partial<Inputs> = {}): Inputs {
  return handler.inputs.parse({
    command: process.execPath,
    args: ["-e", wellBehaved, String(port)],
    logFile: join(folder, "logs", "server.log"),
    ready: { http: `http://127.0.0.1:${port}/`, timeoutMs: 10_000 },
    ports: [port],
    stopTimeoutMs: 5000,
    ...overrides,
  });
}

async function create(inputs: Inputs, given = context) {
  const state = await handler.create(given, { name: "server", inputs });
  started.push(state.outputs);
  return state.outputs;
}

async function update(olds: Outputs, oldInputs: Inputs, inputs: Inputs) {
  const state = await handler.update(context, { id: "server", olds, oldInputs, inputs });
  started.push(state.outputs);
  return state.outputs;
}

function diff(olds: Outputs, oldInputs: Inputs, news = oldInputs) {
  return handler.diff(context, { id: "server", olds, oldInputs, news });
}

function remove(outputs: Outputs, inputs: Inputs) {
  return handler.delete(context, { id: "server", inputs, outputs });
}

async function answering(): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${port}/`)).text());
}

const logOf = (inputs: Inputs) => readFile(inputs.logFile, "utf8");

test("a created process answers, in a session of its own, and nothing differs", async () => {
  const inputs = inputsOf({ env: { GREETING: "hello" } });
  const outputs = await create(inputs);
  expect(await answering()).toBe(outputs.pid);
  expect(isAlive(outputs)).toBe(true);
  const session = Number((await readFile(`/proc/${outputs.pid}/stat`, "utf8")).split(" ")[5]);
  expect(session).toBe(outputs.pid);
  expect(await logOf(inputs)).toBe("greeting hello\n");
  expect(await diff(outputs, inputs)).toEqual({ changes: {} });
  const state = { id: "server", inputs, outputs };
  expect(await handler.read(context, state)).toEqual(state);
});

test("its environment is what the inputs say, with PATH and HOME", async () => {
  process.env.LAB_TEST_LEAK = "s3cret";
  try {
    const outputs = await create(inputsOf({ env: { A: "1" } }));
    const names = (await readFile(`/proc/${outputs.pid}/environ`, "utf8"))
      .split("\0")
      .filter(Boolean)
      .map((entry) => entry.split("=")[0]);
    expect(names.sort()).toEqual(["A", "HOME", "PATH"]);
  } finally {
    delete process.env.LAB_TEST_LEAK;
  }
});

test("files are written before the start, for the owner only, and removed with the process", async () => {
  const file = join(folder, "etc", "server.json");
  const program = `console.log(require("node:fs").readFileSync(process.argv[2], "utf8"));${wellBehaved}`;
  const inputs = inputsOf({ args: ["-e", program, String(port), file], files: { [file]: "t0ken" } });
  const outputs = await create(inputs);
  expect(await logOf(inputs)).toMatch(/^t0ken\n/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.stringify(await readFile(`${inputs.logFile}.process.json`, "utf8"))).not.toContain("t0ken");
  await remove(outputs, inputs);
  expect(existsSync(file)).toBe(false);
});

test("after kill -9 the difference says so, and an update starts it again", async () => {
  const inputs = inputsOf();
  const outputs = await create(inputs);
  process.kill(outputs.pid, "SIGKILL");
  await until("the process to end", () => !isAlive(outputs));
  expect(await diff(outputs, inputs)).toEqual({ changes: { pid: "update" } });
  const again = await update(outputs, inputs, inputs);
  expect(again.pid).not.toBe(outputs.pid);
  expect(await answering()).toBe(again.pid);
  expect(await diff(again, inputs)).toEqual({ changes: {} });
});

test("a reboot is a death, even when another process has the pid", async () => {
  const inputs = inputsOf();
  const identity = { ...(identify(process.pid) as Identity), bootId: "00000000-0000-0000-0000-000000000000" };
  const olds = { ...inputs, ...identity };
  expect(await diff(olds, inputs)).toEqual({ changes: { pid: "update" } });
  const outputs = await update(olds, inputs, inputs);
  expect(await answering()).toBe(outputs.pid);
});

test("other arguments, environment or files restart it; another time limit does not", async () => {
  const inputs = inputsOf();
  const outputs = await create(inputs);
  const patient = inputsOf({ stopTimeoutMs: 6000 });
  expect(await diff(outputs, inputs, patient)).toEqual({ changes: { stopTimeoutMs: "update" } });
  const same = await update(outputs, inputs, patient);
  expect(same.pid).toBe(outputs.pid);

  const greeting = inputsOf({ env: { GREETING: "hello" } });
  expect(await diff(same, patient, greeting)).toMatchObject({ changes: { "env.GREETING": "add" } });
  const other = await update(same, patient, greeting);
  expect(other.pid).not.toBe(outputs.pid);
  expect(isAlive(outputs)).toBe(false);
  expect(await answering()).toBe(other.pid);
  expect(await logOf(inputs)).toBe("greeting \nasked to end\ngreeting hello\n");
});

test("another state folder replaces the process", async () => {
  const inputs = inputsOf();
  const outputs = { ...inputs, ...(identify(process.pid) as Identity) };
  expect(await diff(outputs, inputs, inputsOf({ stateFolder: join(folder, "state") }))).toEqual({
    changes: { stateFolder: "add-replace" },
  });
});

test("delete asks first, and a second time does nothing", async () => {
  const inputs = inputsOf();
  const outputs = await create(inputs);
  await remove(outputs, inputs);
  expect(isAlive(outputs)).toBe(false);
  expect(await logOf(inputs)).toContain("asked to end");
  expect(existsSync(`${inputs.logFile}.process.json`)).toBe(false);
  await remove(outputs, inputs);
});

test("delete kills what does not end in time", async () => {
  const stubborn = wellBehaved.replace("process.exit(0);", "");
  const inputs = inputsOf({ args: ["-e", stubborn, String(port)], stopTimeoutMs: 500 });
  const outputs = await create(inputs);
  const before = performance.now();
  await remove(outputs, inputs);
  expect(isAlive(outputs)).toBe(false);
  expect(performance.now() - before).toBeGreaterThan(499);
  expect(await logOf(inputs)).toContain("asked to end");
});

test("delete never touches a process that only has the pid", async () => {
  const bystander = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(bystander, "spawn");
  try {
    const identity = identify(bystander.pid as number) as Identity;
    await remove({ ...inputsOf(), ...identity, startTicks: "1" }, inputsOf());
    expect(isAlive(identity)).toBe(true);
  } finally {
    bystander.kill("SIGKILL");
  }
});

test("delete ends what the process supervised in its state folder, and removes the folder", async () => {
  const stateFolder = join(folder, "state");
  const supervisor = `
    const { spawn } = require("node:child_process");
    spawn("sleep", ["60"], { cwd: process.cwd(), detached: true, stdio: "ignore" }).unref();
    spawn("sleep", ["61"], { cwd: "/", env: { ...process.env, DIR: process.cwd() + "/task" }, detached: true, stdio: "ignore" })
      .unref();${wellBehaved}`;
  const inputs = inputsOf({ args: ["-e", supervisor, String(port)], stateFolder });
  const outputs = await create(inputs);
  expect((await stat(stateFolder)).mode & 0o777).toBe(0o700);
  expect(readlinkSync(`/proc/${outputs.pid}/cwd`)).toBe(stateFolder);
  const children = (await readFile(`/proc/${outputs.pid}/task/${outputs.pid}/children`, "utf8"))
    .trim()
    .split(" ")
    .map((pid) => identify(Number(pid)) as Identity);
  expect(children).toHaveLength(2);
  started.push(...children);
  await remove(outputs, inputs);
  expect(children.filter(isAlive)).toEqual([]);
  expect(existsSync(stateFolder)).toBe(false);
});

test("a process that an interrupted run started and never recorded lives on and is adopted", async () => {
  const inputs = inputsOf();
  const interrupted = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { processHandler } from ${JSON.stringify(join(import.meta.dirname, "process.ts"))};
       const inputs = JSON.parse(process.argv[1]);
       const signal = new AbortController().signal;
       await processHandler.create({ signal }, { name: "server", inputs });
       setInterval(() => undefined, 1000);`,
      JSON.stringify(inputs),
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  await until("the process to answer", async () => (await answering()) > 0);
  const pid = await answering();
  const exited = once(interrupted, "exit");
  interrupted.kill("SIGKILL");
  await exited;
  const outputs = await create(inputs);
  expect(outputs.pid).toBe(pid);
  expect(await answering()).toBe(pid);
});

test("a process that an interrupted run started with other inputs is replaced", async () => {
  const old = await create(inputsOf());
  const outputs = await create(inputsOf({ env: { GREETING: "hello" } }));
  expect(isAlive(old)).toBe(false);
  expect(await answering()).toBe(outputs.pid);
});

test("a taken port is refused with its holder, before anything is written or started", async () => {
  const holder: ChildProcess = spawn(process.execPath, ["-e", wellBehaved, String(port)], {
    stdio: "ignore",
  });
  try {
    await until("the holder to answer", async () => (await answering()) > 0);
    const inputs = inputsOf();
    await expect(create(inputs)).rejects.toThrow(
      new RegExp(`port ${port} is taken by process ${holder.pid} \\(.*lab:portBase`),
    );
    expect(existsSync(inputs.logFile)).toBe(false);
  } finally {
    holder.kill("SIGKILL");
  }
});

test("a process that never becomes ready is ended, and its last log lines are shown", async () => {
  const silent = `for (let i = 1; i <= 20; i++) console.log("line", i); setInterval(() => undefined, 1000);
    require("node:fs").writeFileSync(process.argv[1], String(process.pid));`;
  const pidFile = join(folder, "pid");
  const inputs = inputsOf({
    args: ["-e", silent, pidFile],
    ready: { tcp: `127.0.0.1:${port}`, headers: {}, timeoutMs: 1500 },
  });
  const error: Error = await create(inputs).then(
    () => expect.fail("it became ready"),
    (error) => error,
  );
  expect(error.message).toMatch(new RegExp(`did not answer at 127.0.0.1:${port} within 1.5 s`));
  expect(error.message).toMatch(/line 6\n[\s\S]*line 20$/);
  expect(error.message).not.toContain("line 5\n");
  expect(identify(Number(await readFile(pidFile, "utf8")))).toBeUndefined();
  expect(existsSync(`${inputs.logFile}.process.json`)).toBe(false);
});

test("an adopted process that never becomes ready is ended just so", async () => {
  const inputs = inputsOf({ stopTimeoutMs: 200 });
  const outputs = await create(inputs);
  process.kill(outputs.pid, "SIGSTOP");
  const impatient = { ...inputs, ready: { ...inputs.ready, timeoutMs: 100 } };
  await expect(create(impatient)).rejects.toThrow(
    /did not become ready[\s\S]*The last lines of [\s\S]*greeting/,
  );
  expect(isAlive(outputs)).toBe(false);
});

test("a process that ends by itself is not waited for", async () => {
  const args = ["-e", `console.error("bad flag"); process.exit(3)`];
  const before = performance.now();
  await expect(create(inputsOf({ args, ready: { ...inputsOf().ready, timeoutMs: 60_000 } }))).rejects.toThrow(
    /ended (by itself|at once)[\s\S]*bad flag/,
  );
  expect(performance.now() - before).toBeLessThan(10_000);
});

test("a program that doesn't exist is named", async () => {
  const command = join(folder, "no such program");
  await expect(create(inputsOf({ command }))).rejects.toThrow(`${command} can't be started: spawn`);
});

test("Ctrl-C ends the wait, and the process that was being started", async () => {
  const controller = new AbortController();
  const pidFile = join(folder, "pid");
  const silent = `require("node:fs").writeFileSync(process.argv[1], String(process.pid));
    setInterval(() => undefined, 1000);`;
  const starting = create(inputsOf({ args: ["-e", silent, pidFile] }), {
    ...context,
    signal: controller.signal,
  });
  const failed = expect(starting).rejects.toThrow(/Cancelled/);
  await until("the process to run", async () => (await readFile(pidFile, "utf8")) !== "");
  controller.abort(new Error("Cancelled."));
  await failed;
  expect(identify(Number(await readFile(pidFile, "utf8")))).toBeUndefined();
});

test("a log that grew large is set aside at the start", async () => {
  const inputs = inputsOf();
  await mkdir(join(folder, "logs"));
  await writeFile(inputs.logFile, Buffer.alloc(10 * 1024 * 1024 + 1));
  await create(inputs);
  expect(await logOf(inputs)).toBe("greeting \n");
  expect((await stat(`${inputs.logFile}.1`)).size).toBe(10 * 1024 * 1024 + 1);
});

test("a process can't be imported", async () => {
  await expect(handler.read(context, { id: "server", inputs: {}, outputs: {} })).rejects.toThrow(
    /can't be imported/,
  );
});
