import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../tests/servers/agent.ts";
import { type ConsulServer, startConsul } from "../tests/servers/consul.ts";
import { type NomadServer, startNomad } from "../tests/servers/nomad.ts";
import { locateTools } from "../toolchain/tools.ts";
import { installConsulPlugin } from "./consul/src/install.ts";
import { type Identity, identify, isAlive } from "./host/src/identity.ts";
import { freePorts } from "./host/src/ports.ts";

/** Pulumi's own command, on a program of its own, with the state in a folder of its own. */
const root = resolve(import.meta.dirname, "..");

let folder: string;
let nomad: NomadServer;
let consul: ConsulServer;
let port: number;
let environment: Record<string, string>;
const started: Identity[] = [];

/** A server that shows the password to nobody, but has it in its environment and in a file. */
const program = `
import * as consul from "@pulumi/consul";
import { Process, Secret } from "@lab/provider-host";
import { Variable } from "@lab/provider-nomad";

const { NODE, FOLDER, PORT } = process.env;
const server = 'require("node:http").createServer((_, answer) => answer.end("ok")).listen(process.argv[1], "127.0.0.1")';
const password = new Secret("password", { keyFile: FOLDER + "/data/.key", name: "server" });
const running = new Process("server", {
  command: NODE,
  args: ["-e", server, PORT],
  env: { PASSWORD: password.value },
  files: { [FOLDER + "/etc/password"]: password.value },
  logFile: FOLDER + "/logs/server.log",
  ready: { http: "http://127.0.0.1:" + PORT + "/" },
  ports: [Number(PORT)],
});
new Variable("credentials", { path: "nomad/jobs/server", items: { password: password.value } });
const policy = new consul.AclPolicy("read", { name: "read", rules: 'key_prefix "project/" { policy = "read" }' });
const token = new consul.AclToken("reader", { description: "reader", policies: [policy.name] });
new consul.KeyPrefix("tree", { pathPrefix: "project/", subkeys: { greeting: "hello" } });
export const consulToken = consul.getAclTokenSecretIdOutput({ accessorId: token.id }).secretId;
export const pid = running.pid;
export const value = password.value;
`;

/** Takes its port at once, and is ready as soon as a file says so. */
const slowProcess = `
const slow = new Process("slow", {
  command: NODE,
  args: [
    "-e",
    'require("node:http").createServer((_, answer) => ' +
      'answer.writeHead(require("node:fs").existsSync(process.argv[2]) ? 200 : 503).end(String(process.pid)))' +
      '.listen(process.argv[1], "127.0.0.1")',
    String(Number(PORT) + 1),
    FOLDER + "/ready",
  ],
  logFile: FOLDER + "/logs/slow.log",
  ready: { http: "http://127.0.0.1:" + (Number(PORT) + 1) + "/" },
  ports: [Number(PORT) + 1],
});
export const slowPid = slow.pid;
`;

/** A batch job that fails until a file is there. */
const migration = `
import { Job } from "@lab/provider-nomad";
new Job("migration", {
  jobspec: \`
    job "migration" {
      type = "batch"
      group "migration" {
        restart {
          attempts = 0
          mode     = "fail"
        }
        reschedule { attempts = 0 }
        task "migrate" {
          driver = "raw_exec"
          config {
            command = "/bin/sh"
            args    = ["-c", "test -e '\${FOLDER}/database' || { echo no database >&2; exit 3; }"]
          }
        }
      }
    }\`,
});
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab pulumi "));
  port = await freePorts(2);
  nomad = await startNomad();
  consul = await startConsul();
  const tools = await locateTools();
  const programs = [process.execPath, tools.pulumi].map((path) => dirname(path));
  environment = {
    PATH: [...programs, process.env.PATH ?? ""].join(delimiter),
    PULUMI_HOME: join(folder, "home"),
    PULUMI_BACKEND_URL: pathToFileURL(join(folder, "state")).href,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase for the test",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NODE: process.execPath,
    FOLDER: folder,
    PORT: String(port),
  };
  await mkdir(join(folder, "state"));
  await installConsulPlugin(join(folder, "home"));
  await mkdir(join(folder, "a project"));
  await symlink(join(root, "node_modules"), join(folder, "a project", "node_modules"));
  await write("package.json", JSON.stringify({ name: "project", type: "module" }));
  await write("index.ts", program);
  await write(
    "Pulumi.yaml",
    JSON.stringify({
      name: "project",
      runtime: { name: "nodejs", options: { typescript: false } },
      main: "index.ts",
      plugins: {
        providers: ["host", "nomad"].map((name) => ({ name, path: join(root, "providers", name) })),
      },
    }),
  );
  await pulumi("stack", "init", "test");
  await pulumi("config", "set", "nomad:address", nomad.address);
  await pulumi("config", "set", "--secret", "nomad:token", nomad.bootstrapToken);
  await pulumi("config", "set", "consul:address", consul.address.replace("http://", ""));
  await pulumi("config", "set", "--secret", "consul:token", consul.managementToken);
});

afterAll(async () => {
  for (const identity of started.filter(isAlive)) {
    process.kill(identity.pid, "SIGKILL");
  }
  await nomad?.stop();
  await consul?.stop();
  await rm(folder, { recursive: true, force: true });
});

function write(file: string, content: string): Promise<void> {
  return writeFile(join(folder, "a project", file), content);
}

function run(...args: string[]) {
  return execa("pulumi", [...args, "--non-interactive", "--color=never"], {
    cwd: join(folder, "a project"),
    env: environment,
    all: true,
    reject: false,
    stdin: "ignore",
  });
}

async function pulumi(...args: string[]): Promise<string> {
  const { all, exitCode } = await run(...args);
  expect(exitCode, `pulumi ${args.join(" ")}\n${all}`).toBe(0);
  return all;
}

/** What the program gives out, secrets in plain. */
async function outputs(): Promise<{ pid: number; value: string; consulToken: string }> {
  const state = JSON.parse(await pulumi("stack", "output", "--json", "--show-secrets"));
  const identity = identify(state.pid);
  if (identity) {
    started.push(identity);
  }
  return state;
}

/** Every file of the backend: the state, its backups and its history. */
async function backend(): Promise<string> {
  const files = await readdir(join(folder, "state"), { recursive: true, withFileTypes: true });
  const contents = await Promise.all(
    files
      .filter((file) => file.isFile())
      .map(({ parentPath, name }) => readFile(join(parentPath, name), "utf8")),
  );
  expect(contents.join()).toContain("host:index/process:Process");
  return contents.join("\n");
}

async function expectNoSecret(...printed: string[]): Promise<void> {
  const { value, consulToken } = await outputs();
  expect(value).toMatch(/^[\w-]{32}$/);
  expect(consulToken).toMatch(/^[0-9a-f-]{36}$/);
  const secrets = {
    password: value,
    "token from Consul": consulToken,
    "token for Consul": consul.managementToken,
    "token for Nomad": nomad.bootstrapToken,
  };
  for (const text of [await backend(), ...printed]) {
    for (const [what, secret] of Object.entries(secrets)) {
      expect(text.includes(secret), `the ${what} is there in plain`).toBe(false);
    }
  }
}

async function variable(path: string, options: { method?: string; body?: object } = {}): Promise<Response> {
  return await fetch(`${nomad.address}/v1/var/${path}`, {
    method: options.method ?? "GET",
    headers: { "x-nomad-token": nomad.bootstrapToken },
    body: options.body && JSON.stringify(options.body),
  });
}

async function keys(): Promise<Record<string, string>> {
  const { consulToken } = await outputs();
  const response = await fetch(`${consul.address}/v1/kv/project/?recurse`, {
    headers: { "x-consul-token": consulToken },
  });
  const pairs = (await response.json()) as Array<{ Key: string; Value: string }>;
  return Object.fromEntries(pairs.map(({ Key, Value }) => [Key, Buffer.from(Value, "base64").toString()]));
}

async function answers(): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${port}/`)).ok;
}

test("a preview makes nothing; up makes it, and the process outlives Pulumi", async () => {
  const previewed = await pulumi("preview", "--diff");
  expect(previewed).toContain("host:index/process:Process");
  await expect(answers()).rejects.toThrow();

  const printed = await pulumi("up", "--yes", "--diff");
  const { pid, value } = await outputs();
  expect(await answers()).toBe(true);
  expect(identify(pid)).toBeDefined();
  expect(await readFile(join(folder, "etc", "password"), "utf8")).toBe(value);
  expect(await (await variable("nomad/jobs/server")).json()).toMatchObject({ Items: { password: value } });
  expect(await keys()).toEqual({ "project/greeting": "hello" });
  await expectNoSecret(previewed, printed);
});

test("a second up changes nothing", async () => {
  await pulumi("up", "--yes", "--expect-no-changes");
});

test("after kill -9 a plain up starts the process again, and touches nothing else", async () => {
  const before = await outputs();
  process.kill(before.pid, "SIGKILL");
  await until("the process to end", () => identify(before.pid) === undefined);
  const printed = await pulumi("up", "--yes");
  expect(printed).toMatch(/1 to update[\s\S]*1 updated/);
  expect(printed).not.toMatch(/replaced|created/);
  const after = await outputs();
  expect(after.pid).not.toBe(before.pid);
  expect(after.value).toBe(before.value);
  expect(await answers()).toBe(true);
  await expectNoSecret(printed);
});

test("a refresh keeps secrets secret, and sees that a variable is gone; up brings it back", async () => {
  await pulumi("refresh", "--yes", "--expect-no-changes");
  expect((await variable("nomad/jobs/server", { method: "DELETE" })).ok).toBe(true);
  const printed = await pulumi("refresh", "--yes", "--diff");
  await expectNoSecret(printed, await pulumi("up", "--yes", "--skip-preview"));
  const { value } = await outputs();
  expect(await (await variable("nomad/jobs/server")).json()).toMatchObject({ Items: { password: value } });
});

test("an imported variable's items are secret", async () => {
  const body = { Path: "imported", Namespace: "default", Items: { key: "imported-s3cret" } };
  expect((await variable("imported", { method: "PUT", body })).ok).toBe(true);
  const printed = await pulumi(
    "import",
    "nomad:index/variable:Variable",
    "imported",
    "default/imported",
    "--yes",
    "--generate-code=false",
    "--protect=false",
  );
  const state = await backend();
  expect(state).toContain("default/imported");
  expect(state.includes("imported-s3cret"), "the item is there in plain").toBe(false);
  expect(printed.includes("imported-s3cret"), "the item is printed").toBe(false);
});

test("a killed up leaves a process that the next one adopts", async () => {
  await write("index.ts", program + slowProcess);
  const interrupted = run("up", "--yes", "--skip-preview");
  const pidOfSlow = async () => Number(await (await fetch(`http://127.0.0.1:${port + 1}/`)).text());
  await until("the process to run", async () => (await pidOfSlow()) > 0);
  const identity = identify(await pidOfSlow()) as Identity;
  started.push(identity);
  interrupted.kill("SIGKILL");
  await interrupted;
  await writeFile(join(folder, "ready"), "");
  await pulumi("cancel", "--yes");
  await pulumi("up", "--yes", "--skip-preview");
  expect(JSON.parse(await pulumi("stack", "output", "--json"))).toMatchObject({ slowPid: identity.pid });
  expect(isAlive(identity)).toBe(true);
});

test("a job that fails is a failed up that says why, and the next up tries again", async () => {
  await write("index.ts", program + slowProcess + migration);
  const failed = await run("up", "--yes", "--skip-preview");
  expect(failed.exitCode).not.toBe(0);
  expect(failed.all).toMatch(/Task migrate \(dead, failed\)/);
  expect(failed.all).toContain("no database");
  await writeFile(join(folder, "database"), "");
  expect(await pulumi("up", "--yes", "--skip-preview")).toMatch(/1 updated/);
});

test("destroy ends the process and removes what it made; the key stays with its data", async () => {
  const { pid } = await outputs();
  await pulumi("destroy", "--yes", "--skip-preview");
  expect(identify(pid)).toBeUndefined();
  expect((await variable("nomad/jobs/server")).status).toBe(404);
  expect((await variable("imported")).status).toBe(404);
  expect(await readdir(join(folder, "etc"))).toEqual([]);
  expect(await readdir(join(folder, "data"))).toEqual([".key"]);
});
