import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { identify } from "../../host/src/identity.ts";
import {
  api,
  call,
  create,
  diff,
  inputsOf,
  name,
  nomad,
  refused,
  remove,
  service,
  update,
  useNomad,
} from "./testing/jobs.ts";

useNomad();

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

test.each([
  ["runs", "exec sleep 600", "running"],
  ["fails", "exit 1", "failed"],
])(
  "a job with no instance is created at once; scaled up, where it %s, and down again, it is as it was",
  async (_what, script, status) => {
    const inputs = inputsOf(service(script).replace('group "web" {', 'group "web" {\n count = 0'));
    const { properties } = await create(inputs);
    expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_NONE" });
    await scale(1);
    await until(`an instance that is ${status}`, async () =>
      (await api(`job/${name}/allocations`)).some(
        ({ ClientStatus }: { ClientStatus: string }) => ClientStatus === status,
      ),
    );
    expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_SOME" });
    await scale(0);
    expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_NONE" });
    await scale(1);
    await update(properties, inputs, inputs);
    expect((await api(`job/${name}`)).TaskGroups[0].Count).toBe(0);
  },
);

/** Nomad refuses to scale a job while a deployment of it is under way. */
async function scale(Count: number): Promise<void> {
  await until(
    "the deployment to end",
    async () => (await api(`job/${name}/deployment`))?.Status !== "running",
  );
  await api(`job/${name}/scale`, { method: "POST", body: { Target: { Group: "web" }, Count } });
}

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
