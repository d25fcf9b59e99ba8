import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { type NomadServer, startNomad } from "../../../tests/servers/nomad.ts";
import { type Method, type Refusal, type StartedProvider, startProvider } from "../../base/src/client.ts";
import { identify } from "../../host/src/identity.ts";

let nomad: NomadServer;
let provider: StartedProvider;
let name: string;

beforeAll(async () => {
  nomad = await startNomad();
  provider = await startProvider(join(import.meta.dirname, "main.ts"));
  await provider.client.call("Configure", {
    args: { address: nomad.address, token: nomad.bootstrapToken },
  });
});

afterAll(async () => {
  await provider?.[Symbol.asyncDispose]();
  await nomad?.stop();
});

let count = 0;

beforeEach(() => {
  name = `job-${++count}`;
});

interface Inputs {
  jobspec: string;
  variables: Record<string, string>;
  purgeOnDelete: boolean;
  timeoutMs: number;
}

const lasting = "echo hello; exec sleep 600";

/**
 * A service that Nomad gives no second chance. One that stays is healthy a moment later; for one that ends, the moment must
 * be longer than Nomad needs to notice.
 */
function service(script = lasting, update = "", minHealthyTime = script.includes("exit") ? "2s" : "100ms") {
  return `
    variable "greeting" { default = "hello" }
    job "${name}" {
      group "web" {
        update {
          health_check      = "task_states"
          min_healthy_time  = "${minHealthyTime}"
          healthy_deadline  = "8s"
          progress_deadline = "9s"
          ${update}
        }
        restart {
          attempts = 0
          mode     = "fail"
        }
        reschedule {
          attempts  = 0
          unlimited = false
        }
        task "server" {
          driver       = "raw_exec"
          kill_timeout = "1s"
          env { GREETING = var.greeting }
          config {
            command = "/bin/sh"
            args    = ["-c", ${JSON.stringify(script)}]
          }
          resources {
            cpu    = 10
            memory = 16
          }
        }
      }
    }`;
}

function inputsOf(jobspec: string, overrides: Partial<Inputs> = {}): Inputs {
  return { jobspec, variables: {}, purgeOnDelete: true, timeoutMs: 30_000, ...overrides };
}

function call(method: Method, fields: object) {
  return provider.client.call(method, { urn: "urn:pulumi:dev::project::nomad:index/job:Job::it", ...fields });
}

const create = (inputs: Inputs) => call("Create", { properties: inputs });

const update = (olds: object, oldInputs: Inputs, news: Inputs) =>
  call("Update", { id: `default/${name}`, olds, oldInputs, news });

const diff = (olds: object, oldInputs: Inputs, news: Inputs) =>
  call("Diff", { id: `default/${name}`, olds, oldInputs, news });

const remove = (outputs: object, oldInputs: Inputs) =>
  call("Delete", { id: `default/${name}`, properties: outputs, oldInputs });

function refused(action: Promise<unknown>): Promise<Refusal> {
  return action.then(
    () => expect.fail("it succeeded"),
    (error) => error,
  );
}

/** What Nomad answers, without the provider. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows the answer that it expects
async function api(path: string, options: { method?: string; body?: object } = {}): Promise<any> {
  const response = await fetch(`${nomad.address}/v1/${path}`, {
    method: options.method ?? "GET",
    headers: { "x-nomad-token": nomad.bootstrapToken },
    body: options.body && JSON.stringify(options.body),
  });
  if (!response.ok) {
    throw new Error(`${response.status} ${await response.text()}`);
  }
  return await response.json();
}

test("a job is created once its deployment is healthy, and deleted once its tasks have ended", async () => {
  const pidFile = join(nomad.dataDir, `${name}.pid`);
  // The shell goes on where it is asked to end, so that the end takes as long as Nomad waits.
  const script = `trap "" INT TERM; echo $$ > '${pidFile}'; while :; do sleep 0.1; done`;
  const inputs = inputsOf(service(script));
  const { id, properties } = await create(inputs);
  expect(id).toBe(`default/${name}`);
  expect(properties).toMatchObject({ ...inputs, name, namespace: "default", type: "service" });
  const [deployment] = await api(`job/${name}/deployments`);
  expect(deployment.Status).toBe("successful");
  const [allocation] = await api(`job/${name}/allocations`);
  expect(allocation.DeploymentStatus.Healthy).toBe(true);

  const pid = Number(await readFile(pidFile, "utf8"));
  expect(identify(pid)).toBeDefined();
  await remove(properties, inputs);
  expect(identify(pid)).toBeUndefined();
  await expect(api(`job/${name}`)).rejects.toThrow("404");
  await remove(properties, inputs);
});

test("a job that Nomad has already is adopted: no new version", async () => {
  const inputs = inputsOf(service());
  const { properties } = await create(inputs);
  const again = await create(inputs);
  expect(again.properties).toEqual(properties);
  expect((await api(`job/${name}`)).Version).toBe(0);
  expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_NONE" });
});

test("a job whose registration was not seen to its end is waited for by the next update", async () => {
  const inputs = inputsOf(service(lasting, "", "1500ms"));
  const refusal = await refused(create({ ...inputs, timeoutMs: 300 }));
  expect(refusal.message).toMatch(/was not healthy within 0\.3 s/);
  const kept = refusal.initialization;
  expect(kept).toMatchObject({ id: `default/${name}`, properties: { name } });
  await update(kept?.properties ?? {}, inputs, inputs);
  expect((await api(`job/${name}`)).Version).toBe(0);
  expect((await api(`job/${name}/deployments`))[0].Status).toBe("successful");
});

test("the difference is Nomad's plan, by the paths of the job file", async () => {
  const inputs = inputsOf(service());
  const { properties } = await create(inputs);
  const news = inputsOf(service("echo again; exec sleep 600").replace("memory = 16", "memory = 17"), {
    variables: { greeting: "${x} 100%" },
  });
  const { changes, detailedDiff, replaces } = await diff(properties, inputs, news);
  expect(changes).toBe("DIFF_SOME");
  expect(replaces).toBeUndefined();
  expect(detailedDiff).toMatchObject({
    'group.web.task.server.Config["args[1]"]': { kind: "UPDATE" },
    'group.web.task.server["Env[GREETING]"]': { kind: "UPDATE" },
    "group.web.task.server.Resources.MemoryMB": { kind: "UPDATE" },
  });
  await update(properties, inputs, news);
  expect((await api(`job/${name}`)).TaskGroups[0].Tasks[0].Env.GREETING).toBe("${x} 100%");
});

test("a comment or the order of a job file is no difference", async () => {
  const inputs = inputsOf(service());
  const { properties } = await create(inputs);
  const news = inputsOf(service().replace("driver  ", "# as a plain process\n driver "));
  expect(await diff(properties, inputs, news)).toMatchObject({ changes: "DIFF_NONE" });
});

test("another name replaces the job, and a removed job is one to add", async () => {
  const inputs = inputsOf(service());
  const { properties } = await create(inputs);
  const renamed = inputsOf(inputs.jobspec.replace(`job "${name}"`, 'job "other"'));
  expect(await diff(properties, inputs, renamed)).toMatchObject({
    replaces: ["name"],
    deleteBeforeReplace: true,
  });
  await api(`job/${name}?purge=true`, { method: "DELETE" });
  expect(await diff(properties, inputs, inputs)).toMatchObject({ detailedDiff: { job: { kind: "ADD" } } });
  expect(await call("Read", { id: `default/${name}`, inputs, properties })).toEqual({});
});

test("a job that fails says so with its events and log lines, and is kept in the state", async () => {
  const inputs = inputsOf(service("echo starting; echo no database >&2; exit 3"));
  const refusal = await refused(create(inputs));
  expect(refusal.message).toMatch(/The deployment of job .* failed/);
  expect(refusal.message).toMatch(/Task server \(dead, failed\), last events:\n/);
  expect(refusal.message).toMatch(/Terminated: Exit Code: 3/);
  expect(refusal.message).toMatch(/Its last lines on stdout:\n {2}starting/);
  expect(refusal.message).toMatch(/Its last lines on stderr:\n {2}no database/);
  expect(refusal.initialization).toMatchObject({ id: `default/${name}`, properties: { ...inputs, name } });
});

test("a failed job is tried again by the next update though nothing in it has changed", async () => {
  const file = join(nomad.dataDir, `${name}.ready`);
  const inputs = inputsOf(service(`test -e '${file}' || exit 3; exec sleep 600`));
  const { initialization } = await refused(create(inputs));
  const olds = initialization?.properties ?? {};
  expect(await diff(olds, inputs, inputs)).toMatchObject({
    detailedDiff: { deployment: { kind: "UPDATE" } },
  });
  expect((await refused(update(olds, inputs, inputs))).message).toMatch(/Exit Code: 3/);

  await writeFile(file, "");
  const { properties } = await update(olds, inputs, inputs);
  expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_NONE" });
  expect((await api(`job/${name}/deployments`)).map(({ Status }: { Status: string }) => Status)).toContain(
    "successful",
  );
});

test("a change that needs no new allocation does not hide that the one that is there has failed", async () => {
  const inputs = inputsOf(service("echo no database >&2; exit 3"));
  const { initialization } = await refused(create(inputs));
  const news = inputsOf(inputs.jobspec.replace("group ", "priority = 60\n      group "));
  const refusal = await refused(update(initialization?.properties ?? {}, inputs, news));
  expect(refusal.message).toMatch(/Exit Code: 3/);
  expect(refusal.message).toMatch(/stderr:\n {2}no database/);

  const repaired = inputsOf(service());
  const { properties } = await update(refusal.initialization?.properties ?? {}, news, repaired);
  expect(await diff(properties, repaired, repaired)).toMatchObject({ changes: "DIFF_NONE" });
});

test("a rollback by Nomad is a failed update, and the next one tries again", async () => {
  const good = inputsOf(service("echo good; exec sleep 600", "auto_revert = true"));
  const { properties } = await create(good);
  const bad = inputsOf(service("echo bad >&2; exit 4", "auto_revert = true"));
  const refusal = await refused(update(properties, good, bad));
  expect(refusal.message).toMatch(/failed: .*rolling back to job version 0/);
  expect(refusal.message).toMatch(/Exit Code: 4/);
  expect(refusal.message).toMatch(/stderr:\n {2}bad/);
  await until("Nomad to roll back", async () => (await api(`job/${name}`)).Version === 2);

  const olds = refusal.initialization?.properties ?? {};
  expect(await diff(olds, bad, bad)).toMatchObject({
    detailedDiff: { 'group.web.task.server.Config["args[1]"]': { kind: "UPDATE" } },
  });
  expect((await refused(update(olds, bad, bad))).message).toMatch(/Exit Code: 4/);
  await until("Nomad to roll back", async () => (await api(`job/${name}`)).Version === 4);
  const recovered = await update(olds, bad, good);
  expect((await api(`job/${name}`)).Version).toBe(4);
  expect(await diff(recovered.properties, good, good)).toMatchObject({ changes: "DIFF_NONE" });
});

test("a batch job is created once it is complete, and fails with its log", async () => {
  const batch = (script: string) =>
    service(script)
      .replace(/update \{[^}]*\}/, "")
      .replace("{\n      group", '{\n      type = "batch"\n      group');
  const { properties } = await create(inputsOf(batch("echo migrated")));
  expect(properties.type).toBe("batch");
  const [allocation] = await api(`job/${name}/allocations`);
  expect(allocation.ClientStatus).toBe("complete");

  name = `${name}-failing`;
  const failing = inputsOf(batch("echo table exists >&2; exit 5"));
  const refusal = await refused(create(failing));
  expect(refusal.message).toMatch(/Exit Code: 5/);
  expect(refusal.message).toMatch(/stderr:\n {2}table exists/);

  const olds = refusal.initialization?.properties ?? {};
  expect((await refused(update(olds, failing, failing))).message).toMatch(/Exit Code: 5/);
  const repaired = inputsOf(batch("echo migrated"));
  const state = await update(olds, failing, repaired);
  expect(await diff(state.properties, repaired, repaired)).toMatchObject({ changes: "DIFF_NONE" });
});

test("a job file that is wrong is refused with its line; a variable that is missing with its name", async () => {
  const wrong = await refused(create(inputsOf(service().replace("driver ", "drivr "))));
  expect(wrong.message).toMatch(/drivr/);
  expect(wrong.initialization).toBeUndefined();
  const missing = service().replace('variable "greeting" { default = "hello" }', 'variable "greeting" {}');
  expect((await refused(create(inputsOf(missing)))).message).toMatch(/greeting/);
});

test("a job that is deleted without purging stays in Nomad's records, stopped", async () => {
  const inputs = inputsOf(service(), { purgeOnDelete: false });
  const { properties } = await create(inputs);
  await remove(properties, inputs);
  expect((await api(`job/${name}`)).Stop).toBe(true);
  expect(await call("Read", { id: `default/${name}`, inputs, properties })).toEqual({});
});

test("a job is imported by its id, from the source that it was registered with", async () => {
  const inputs = inputsOf(service(), { variables: { greeting: "hi" } });
  await create(inputs);
  const read = await call("Read", { id: `default/${name}`, inputs: {}, properties: {} });
  expect(read.inputs).toMatchObject({ jobspec: inputs.jobspec, variables: { greeting: "hi" } });
  expect(await diff(read.properties, read.inputs, read.inputs)).toMatchObject({ changes: "DIFF_NONE" });
});

test("Ctrl-C ends the wait for a job; it is kept in the state", async () => {
  await using interrupted = await startProvider(join(import.meta.dirname, "main.ts"));
  await interrupted.client.call("Configure", {
    args: { address: nomad.address, token: nomad.bootstrapToken },
  });
  const properties = inputsOf(service(lasting, "", "7s"));
  const creating = refused(
    interrupted.client.call("Create", {
      urn: "urn:pulumi:dev::project::nomad:index/job:Job::it",
      properties,
    }),
  );
  await until(
    "the job to run",
    async () => (await api(`job/${name}/allocations`))[0].ClientStatus === "running",
  );
  await interrupted.client.call("Cancel");
  const refusal = await creating;
  expect(refusal.message).toMatch(/is registered; whether it became healthy is not known: Cancelled/);
  expect(refusal.initialization?.id).toBe(`default/${name}`);
});
